"""What an adapter gained and what it cost: scores of LoRA, hypernetworks and StyleAligned.

The trained judge was trained on the base's three styles and not on the fourth. So the style is determined by the
nearest reference sprite (drawings.py): every core concept in all four styles is rendered as the prompt asks, and the
nearest one, pixel by pixel, gives concept and style. It was not trained on anything, so it is not biased towards an
adapter; `*_ceiling` is its score on real scenes in the new style after a VAE round trip. Every fifth
concept is held out of the adapters' training in the new style (data/newstyle.py): `*_unseen` counts these alone.
Before and after use the same prompts and seeds, and their difference is paired.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .. import models, steps
from ..data import newstyle, scenes, words
from ..data.world import prompts
from .accuracy import right
from .judge import Judge
from .nearest import nearest_reference
from .sampling import draw, through_vae
from .statistics import paired, score

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

SEEDS = (0, 1000, 2000)


def lora_scores(
    pipe: "StableDiffusionPipeline",
    folder: str | os.PathLike,
    seeds: Sequence[int] = SEEDS,
    limit: int | None = None,
    judge: Judge | None = None,
    weight: float = 1.0,
    style: str = words.NEW_STYLE,
) -> dict[str, dict]:
    """Scores of a LoRA on a pipeline that has none: {name: score}. The pipeline is left unchanged.

    folder: as models.load_lora takes it. limit: of the prompts in the style. judge: if given, also the share
    of ordinary core prompts whose concept is lost while the adapter is active (forgetting).
    """
    before = taken(pipe, seeds, limit, style)
    ordinary = judge and concepts(pipe, judge, seeds, limit)
    models.load_lora(pipe, folder, "judged", weight)
    after = taken(pipe, seeds, limit, style)
    lost = {"forgetting": paired(concepts(pipe, judge, seeds, limit), ordinary)} if judge else {}
    pipe.unload_lora_weights()
    path = models.locate.adapter_file(folder)
    return changes(before, after) | lost | ceiling(pipe, limit, style) | size(path, pipe.unet)


def hyper_scores(
    pipe: "StableDiffusionPipeline",
    folder: str | os.PathLike,
    seeds: Sequence[int] = SEEDS,
    limit: int | None = None,
    judge: Judge | None = None,
    strength: float = 1.0,
    style: str = words.NEW_STYLE,
) -> dict[str, dict]:
    """Scores of a hypernetwork: {name: score}. folder: as models.load_hyper takes it; the rest as in lora_scores."""
    before = taken(pipe, seeds, limit, style)
    ordinary = judge and concepts(pipe, judge, seeds, limit)
    with steps.with_hypernetwork(pipe.unet, models.load_hyper(folder, pipe), strength):
        after = taken(pipe, seeds, limit, style)
        lost = {"forgetting": paired(concepts(pipe, judge, seeds, limit), ordinary)} if judge else {}
    path = models.locate.hyper_file(folder)
    return changes(before, after) | lost | ceiling(pipe, limit, style) | size(path, pipe.unet)


def taken(pipe, seeds, limit, style):
    """The judgement of images for prompts that ask for the style, and for the same prompts without it: dicts."""
    seen = {}
    for name, asked in (("style", style), ("usual", "")):
        rows = newstyle.rows(asked, limit)
        pictures = torch.cat([draw(pipe, rows, seed) for seed in seeds])
        seen[name] = named(pictures, rows * len(seeds), style)
    return seen


def named(images, rows, style):
    """Booleans (B,): whether the nearest of all sprites has the style and the concept; which concepts are unseen."""
    concept, drawn, *_ = nearest_reference(images, styles=scenes.ALL_STYLES)
    return {
        "style": drawn == scenes.ALL_STYLES.index(style),
        "concept": concept == scenes.spec_of(rows).concept,
        "unseen": torch.tensor([r["new"] for r in rows]),
    }


def changes(before, after):
    """Style and concept before and after, paired. The concept is compared with the base's where no style is named.

    _unseen: of the concepts held out in the style; _shown: of the others.
    """
    scores = {
        "style_base": score(before["style"]["style"]),
        "style": score(after["style"]["style"]),
        "style_gain": paired(before["style"]["style"], after["style"]["style"]),
        "concept_base": score(before["usual"]["concept"]),
        "concept": score(after["style"]["concept"]),
        "concept_change": paired(before["usual"]["concept"], after["style"]["concept"]),
    }
    new = before["style"]["unseen"]
    for name in ("style", "concept"):
        scores |= {f"{name}_unseen": score(after["style"][name][new])} if new.any() else {}
    shown = [seen["concept"][~new] for seen in (before["usual"], after["style"])]
    scores |= {"concept_shown_base": score(shown[0]), "concept_shown": score(shown[1]), "concept_shown_change": paired(*shown)}
    return scores | {"style_without_words": score(after["usual"]["style"])}


def concepts(pipe, judge, seeds, limit):
    """Whether the judge recognises the concept for the ordinary frozen prompts: (B,)."""
    rows = prompts("core", "full")[:limit]
    pictures = torch.cat([draw(pipe, rows, seed) for seed in seeds])
    return right(judge, pictures, rows * len(seeds))["concept"].cpu()


def ceiling(pipe, limit, style):
    """The same of real scenes in the style, through the VAE: the upper bound for any adapter of the U-Net."""
    rows = newstyle.rows(style, limit)
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    best = named(through_vae(pipe, real), rows, style)
    return {f"{name}_ceiling": score(best[name]) for name in ("style", "concept")}


def size(path, unet):
    """Bytes of a file, the number of parameters in it, and how many times larger the U-Net is in half precision."""
    numbers = sum(torch.Size(shape).numel() for shape in models.validate.header(path).values())
    own = sum(p.numel() for n, p in unet.named_parameters() if ".lora_" not in n)
    count = path.stat().st_size
    return {
        "bytes": {"value": count, "n": 1, "unit": "bytes"},
        "trained": {"value": numbers, "n": 1},
        "times_smaller": {"value": round(2 * own / count), "n": 1},
    }


# ---------------------------------------------------------------- StyleAligned
