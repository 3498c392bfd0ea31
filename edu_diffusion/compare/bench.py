"""The prompts, what the base makes of them, and how a method is measured against that."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline

    from .methods import Method

SEED = 1  # of the first image; not 0, since StyleAligned uses the seed before it


def folder(out, name, task):
    """Where a method's result for a task is stored."""
    return Path(out) / f"{name.lower().replace(' ', '-')}-{task}" / "model"


class Bench:
    """The prompts, the base model's scores on them, and how a method is measured against that baseline."""

    def __init__(
        self, model: str | os.PathLike = "base", limit: int | None = 80, device: "str | torch.device | None" = None
    ) -> None:
        """model: the base model. limit: how many prompts of each kind; every method gets the same prompts and seeds."""
        from edu_diffusion import metrics, models
        from edu_diffusion.data import newstyle, subject
        from edu_diffusion.data.world import prompts

        self.pipe, self.judge = models.load(model, device), metrics.load_judge(device)
        self.likeness = metrics.subject.Likeness(self.judge)
        self.styled, self.ordinary = newstyle.rows(limit=limit), prompts("core", "full")[:limit]
        self.things = list(subject.HELD_OUT[:limit])
        self.real = subject.render(self.things)[0]
        self.before = {
            "style": self.style(self.pipe),
            "ordinary": self.concepts(self.pipe),
            "subject": self.subject(self.pipe, "robot"),
        }
        self.base = {
            "style": metrics.score(self.before["style"]),
            "subject": metrics.mean(self.before["subject"], "cosine"),
            "concept": metrics.score(self.before["ordinary"]),
        } | self.ceilings()
        self.sizes = {
            "style_prompts": len(self.styled),
            "ordinary_prompts": len(self.ordinary),
            "subject_prompts": len(self.things),
        }

    def ceilings(self) -> dict[str, dict]:
        """The scores of real scenes after a VAE round trip, the upper bound for any method."""
        from edu_diffusion import metrics
        from edu_diffusion.data import scenes

        drawn = scenes.render(scenes.spec_of(self.styled))[0]
        style = self.drawn_in_style(metrics.through_vae(self.pipe, drawn))
        like = self.likeness.to_others(metrics.through_vae(self.pipe, self.real), self.real)
        return {"style_ceiling": metrics.score(style), "subject_ceiling": metrics.mean(like, "cosine")}

    def drawn_in_style(self, pictures: "torch.Tensor") -> "torch.Tensor":
        """Whether the nearest reference sprite is one in the new style: (B,)."""
        from edu_diffusion.data.words import NEW_STYLE
        from edu_diffusion.metrics.style import named

        return named(pictures, self.styled, NEW_STYLE)["style"]

    def style(self, pipe: "StableDiffusionPipeline", word: str | None = None) -> "torch.Tensor":
        """The same for images that a pipeline generates; word: what the prompts call the style, if not its usual name."""
        from edu_diffusion import metrics
        from edu_diffusion.data.words import NEW_STYLE

        rows = [{**r, "prompt": r["prompt"].replace(NEW_STYLE, word or NEW_STYLE)} for r in self.styled]
        return self.drawn_in_style(metrics.draw(pipe, rows, SEED))

    def concepts(self, pipe: "StableDiffusionPipeline") -> "torch.Tensor":
        """Whether the judge recognises the concept in ordinary prompts, which ask for nothing new: (B,)."""
        from edu_diffusion import metrics

        return metrics.right(self.judge, metrics.draw(pipe, self.ordinary, SEED), self.ordinary)["concept"]

    def subject(self, pipe: "StableDiffusionPipeline", name: str) -> "torch.Tensor":
        """How similar the generated subject is to the real one: (B,) cosine similarities."""
        from edu_diffusion import metrics
        from edu_diffusion.data import subject

        rows = [{**r, "prompt": text} for r, text in zip(self.things, subject.captions(self.things, name))]
        return self.likeness.to_others(metrics.draw(pipe, rows, SEED), self.real)

    def row(self, name: str, method: "Method", out: str | os.PathLike) -> dict:
        """Measure the two trained models of a method, each alone and both combined: a row of the table."""
        style, thing = (folder(out, name, task) for task in ("style", "subject"))
        with method.use(self.pipe, style) as pipe:
            drawn, ordinary = self.style(pipe, method.word), self.concepts(pipe)
        with method.use(self.pipe, thing) as pipe:
            like = self.subject(pipe, method.name)
        with method.use(self.pipe, style, thing) as pipe:
            both = self.style(pipe, method.word), self.subject(pipe, method.name)
        return {"method": name} | facts(style) | self.gains(drawn, ordinary, like, both) | {"note": method.note}

    def gains(
        self,
        drawn: "torch.Tensor",
        ordinary: "torch.Tensor",
        like: "torch.Tensor | None" = None,
        both: "tuple[torch.Tensor, torch.Tensor] | None" = None,
    ) -> dict[str, dict]:
        """The scores of a row; all differences are paired."""
        from edu_diffusion.metrics import mean, paired, score

        before = self.before
        scores = {
            "style": score(drawn),
            "style_gain": paired(before["style"], drawn),
            "forgetting": paired(ordinary, before["ordinary"]),
        }
        if like is not None:
            scores |= {"subject": mean(like, "cosine"), "subject_gain": paired(before["subject"], like, "cosine")}
        if both is not None:
            scores |= {"style_with_both": paired(drawn, both[0]), "subject_with_both": paired(like, both[1], "cosine")}
        return scores

    def aligned(self) -> dict:
        """The row of StyleAligned, which gets one reference image and trains nothing."""
        from edu_diffusion.compare.methods import aligned_pictures
        from edu_diffusion.metrics import right

        drawn, ordinary = (aligned_pictures(self.pipe, rows, SEED) for rows in (self.styled, self.ordinary))
        found = right(self.judge, ordinary, self.ordinary)["concept"]
        cost = {"trained": 0, "bytes": 0, "seconds": 0.0, "steps": 0}
        return (
            {"method": "StyleAligned"}
            | cost
            | self.gains(self.drawn_in_style(drawn), found)
            | {"note": "no training: the batch follows one reference image; a subject is another task"}
        )

    def control(self) -> dict:
        """The row of ControlNet, with its cost only: it learns spatial control, which is another task."""
        from edu_diffusion import models

        net = models.build_controlnet(self.pipe.unet)
        count = sum(p.numel() for p in net.parameters())
        return {
            "method": "ControlNet",
            "trained": count,
            "bytes": 2 * count,
            "seconds": None,
            "steps": None,
            "note": "another task: it controls where lines are, not how they look; see its model card for scores",
        }


def facts(where):
    """The cost of a training run: trainable parameters, bytes of the weight files, seconds, steps."""
    from edu_diffusion.train import state

    card = json.loads((where / "card.json").read_text(encoding="utf-8"))
    found = sorted((where / "unet" if (where / "unet").is_dir() else where).glob("*.safetensors"))
    return {
        "trained": card["trained"],
        "bytes": sum(p.stat().st_size for p in found),
        "seconds": round(60 * state.about(where.parent)["minutes"], 1),
        "steps": state.about(where.parent)["steps"],
    }
