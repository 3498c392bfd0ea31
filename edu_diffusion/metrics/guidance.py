"""Which guidance scale to use, and what guidance does to variety and to habits."""

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..data import chances, words
from ..data.world import prompts, world
from .accuracy import read, right
from .frechet import features
from .judge import Judge
from .sampling import GUIDANCE, draw
from .statistics import mean, paired, score
from .variety import within

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

CANDIDATES = (1.5, 2, 2.5, 3, 4)
NEAR = 0.01  # accuracies this close to the best count as equal


def choose(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    candidates: Sequence[float] = CANDIDATES,
    seeds: Sequence[int] = (0,),
    limit: int | None = None,
    n_steps: int = 20,
    batch: int | None = None,
) -> dict[str, dict]:
    """The smallest guidance scale whose accuracy is within NEAR of the best: {"guidance_chosen": ..., ...}.

    On the core's prompts of the splits full and unseen_wording; limit: only the first of each. guidance_2_all: accuracy at 2.
    """
    rows = asked(limit)
    found = {
        g: torch.stack([right(judge, draw(pipe, rows, seed, g, n_steps, batch), rows)["all"] for seed in seeds]).float().mean(0)
        for g in candidates
    }
    share = {g: hits.mean().item() for g, hits in found.items()}
    best = smallest(share)
    return {f"guidance_{g:g}_all": score(hits) for g, hits in found.items()} | {
        "guidance_chosen": {"value": float(best), "n": len(rows) * len(seeds)}
    }


def plain_call(
    pipe: "StableDiffusionPipeline", judge: Judge, seed: int = 0, limit: int | None = None, batch: int | None = None
) -> dict[str, dict]:
    """The accuracy with the library's own defaults, on the prompts of choose(): {"plain_call_all": score}.

    Guidance scale and number of steps are the default arguments of StableDiffusionPipeline.
    """
    usual = inspect.signature(pipe.__call__).parameters
    rows = asked(limit)
    guidance, n_steps = usual["guidance_scale"].default, usual["num_inference_steps"].default
    return {"plain_call_all": score(right(judge, draw(pipe, rows, seed, guidance, n_steps, batch), rows)["all"])}


def asked(limit=None):
    """The core's prompts of the splits full and unseen_wording; limit: only the first of each."""
    return [r for split in ("full", "unseen_wording") for r in prompts("core", split)[:limit]]


def smallest(share):
    """Of {guidance: accuracy}, the smallest guidance whose accuracy is within NEAR of the highest."""
    return min(g for g, value in share.items() if value >= max(share.values()) - NEAR - 1e-9)


def effect(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    guidance: float = GUIDANCE,
    seeds: int = 4,
    limit: int | None = None,
    n_steps: int = 20,
    batch: int | None = None,
) -> dict[str, dict]:
    """What guidance changes on the splits open and unseen_wording, with the same prompts and seeds at 1: {name: score}, by prompt.

    guided_accuracy: the share of images with everything right; guided_variety: distance between seeds in the judge's
    features; _alone: the same at 1; _gain: the difference, paired.
    """
    rows = [r for split in ("open", "unseen_wording") for r in prompts("core", split)[:limit] for _ in range(seeds)]
    alone, guided = (measured(judge, draw(pipe, rows, 4_000_000, g, n_steps, batch), rows, seeds) for g in (1.0, guidance))
    scores: dict[str, dict] = {}
    average = lambda values: mean(values, "RMS")
    for name, unit, of in (("accuracy", "share", score), ("variety", "RMS", average)):
        scores |= {
            f"guided_{name}_alone": of(alone[name]),
            f"guided_{name}": of(guided[name]),
            f"guided_{name}_gain": paired(alone[name], guided[name], unit),
        }
    return scores


def measured(judge, images, rows, seeds):
    """Accuracy and variety of images ordered by prompt, `seeds` of each: two (prompts,)."""
    return {
        "accuracy": right(judge, images, rows)["all"].float().view(-1, seeds).mean(1),
        "variety": within(features(judge, images), seeds),
    }


def habits(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    guidance: float = GUIDANCE,
    seeds: int = 64,
    rows: Sequence[dict] | None = None,
    n_steps: int = 20,
    batch: int | None = None,
) -> dict[str, dict]:
    """How often a concept shows its habitual value when the prompt names only the concept, with and without guidance.

    habit: ghosts on black, and so on; control: as many concepts without habits, observed for the same values. _alone: at 1;
    _true: in the world; _gain: the effect of guidance, paired by concept and seed. Intervals by concept. rows: habits, None is all.
    """
    scores: dict[str, dict] = {}
    for name, cases in (("habit", habit_cases(rows)), ("control", control_cases(rows))):
        alone, guided = (shown(judge, cases, pipe, g, seeds, n_steps, batch) for g in (1.0, guidance))
        true = torch.tensor([chance(*case) for case in cases])
        scores |= {
            f"{name}_alone": mean(alone, "share"),
            name: mean(guided, "share"),
            f"{name}_true": mean(true, "share"),
            f"{name}_gain": paired(alone, guided, "share"),
        }
    return scores


def habit_cases(rows=None):
    """(concept, attribute, value) of the habits."""
    return [(world().by_id[r["id"]], r["attribute"], r["value"]) for r in (world().habits if rows is None else rows)]


def control_cases(rows=None):
    """The same attributes and values, each with a core concept that has no habit, evenly spread over those.

    Where a concept's pair with the value is held out, the next concept is used: at 0 % nothing could be observed.
    """
    own, cases = {r["id"] for r in world().habits}, habit_cases(rows)
    free = [c for c in map(world().concepts.__getitem__, world().tier("core").tolist()) if c.id not in own]
    spread = [i * len(free) // len(cases) for i in range(len(cases))]
    return [
        (next(c for c in free[k:] + free[:k] if chance(c, part, value) > 0), part, value)
        for k, (_, part, value) in zip(spread, cases)
    ]


def chance(concept, part, value):
    """How often the world itself shows this value for the concept."""
    return world().conditional(name=concept.name)[part][chances.VALUES[part].index(value)].item()


def shown(judge, cases, pipe, guidance, seeds, n_steps, batch):
    """The share of a case's images with the value in question: (cases,)."""
    rows = [{"prompt": words.caption(concept.name)} for concept, _, _ in cases for _ in range(seeds)]
    found = read(judge, draw(pipe, rows, 6_000_000, guidance, n_steps, batch))
    return torch.stack(
        [
            (found[part].view(-1, seeds)[i] == chances.VALUES[part].index(value)).float().mean()
            for i, (_, part, value) in enumerate(cases)
        ]
    )
