"""Has a model learned this one subject, and what did it forget? Scores of DreamBooth and textual inversion.

Everything is a paired difference from the base: the same prompts, the same seeds, the judge's features. The seeds
of a prompt count as one case.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from ..data import newstyle, scenes, subject, words
from ..data.world import prompts, world
from .accuracy import right
from .frechet import features
from .judge import Judge
from .sampling import draw, through_vae
from .statistics import mean, paired, score
from .style import named

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

UNIT = "cosine"
CALLED = f"{subject.TOKEN} {subject.CLASS}"


class Likeness:
    """Similarity of images to the judge: the cosine of its features, standardised over real scenes.

    So two unrelated images have a cosine of about 0. judge: a Judge. n: the number of scenes.
    """

    def __init__(self, judge: Judge, n: int = 400) -> None:
        self.judge = judge
        seen = features(judge, scenes.batch(n, 71).images)
        self.mean, self.spread = seen.mean(0), seen.std(0) + 1e-6

    def look(self, images: torch.Tensor) -> torch.Tensor:
        """Features of length 1: (B, 3, 64, 64) -> (B, 192)."""
        return torch.nn.functional.normalize((features(self.judge, images.float()) - self.mean) / self.spread, dim=1)

    def to_others(self, images: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Mean cosine of image i to all real scenes but the i-th, which has the same colour, size and place: (B,)."""
        return others(self.look(images) @ self.look(real).T)

    def to_all(self, images: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Mean cosine of each image to all of some real scenes: (B,)."""
        return (self.look(images) @ self.look(real).T).mean(1)

    def apart(self, images: torch.Tensor) -> torch.Tensor:
        """Mean distance, 1 - cosine, of each image to the others: (B,)."""
        looks = self.look(images)
        return others(1 - looks @ looks.T)


def others(table):
    """The mean of each row of a square matrix without its diagonal."""
    return (table.sum(1) - table.diagonal()) / (len(table) - 1)


def dreambooth_scores(
    base: "StableDiffusionPipeline",
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    name: str = CALLED,
    rows: Sequence[dict] = subject.HELD_OUT,
    n_class: int = 30,
    seeds: Sequence[int] = (0,),
    limit: int | None = 80,
    **how: Any,
) -> dict[str, dict]:
    """What a model learned of the subject, and kept of its class and of everything else: {name: score}.

    base, pipe: pipelines before and after. name: what prompts call the subject. rows: its held-out scenes.
    n_class: number of images of the class. limit: number of frozen prompts. how: settings of draw().
    *_gain, *_change and forgetting are paired differences (forgetting: the share lost).
    """
    likeness = Likeness(judge)
    return (
        subject_scores(base, pipe, likeness, name, rows, seeds, **how)
        | class_scores(base, pipe, likeness, n_class, seeds, **how)
        | forgetting(base, pipe, judge, limit, seeds, **how)
    )


def inversion_scores(
    base: "StableDiffusionPipeline",
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    word: str = f"<{subject.TOKEN}>",
    kind: str = "subject",
    rows: Sequence[dict] = subject.HELD_OUT,
    seeds: Sequence[int] = (0,),
    limit: int | None = 80,
    thing: str | None = None,
    **how: Any,
) -> dict[str, dict]:
    """What a new word has come to mean: {name: score}. It cannot change anything else: prompts without it give the same images.

    pipe: the base with the word. kind: "subject", "style" or "thing", what the word was trained on. thing: the name
    of the concept that a word of the last kind stands for. The rest as above.
    """
    if kind == "thing":
        return thing_scores(pipe, judge, word, thing, seeds, rows, **how) | forgetting(base, pipe, judge, limit, seeds, **how)
    learned = (
        subject_scores(base, pipe, Likeness(judge), word, rows, seeds, **how)
        if kind == "subject"
        else style_scores(base, pipe, word, seeds, limit, **how)
    )
    return learned | forgetting(base, pipe, judge, limit, seeds, **how)


def subject_scores(base, pipe, likeness, name, rows, seeds=(0,), **how):
    """Is it the subject? Similarity to real held-out scenes before and after, the gain, and the ceiling."""
    asked = [
        [{**row, "prompt": text} for row, text in zip(rows, subject.captions(rows, called))] for called in (subject.CLASS, name)
    ]  # before, the name means nothing: the prompt names the class
    real = subject.render(rows)[0]
    before, after = (
        over(seeds, lambda seed, p=p, r=r: likeness.to_others(draw(p, r, seed, **how), real)) for p, r in zip((base, pipe), asked)
    )
    best = likeness.to_others(through_vae(base, real), real)
    return {
        "subject_base": mean(before, UNIT),
        "subject": mean(after, UNIT),
        "subject_ceiling": mean(best, UNIT),
        "subject_gain": paired(before, after, UNIT),
    }


def thing_scores(pipe, judge, word, concept, seeds=(0,), rows=subject.HELD_OUT, **how):
    """Is it the concept? The share of images that the judge recognises as it, for prompts with "a thing" and with the word.

    pipe: the base with the word; without the word in the prompt it generates what the base does. concept: the name of a
    core concept. rows: scenes in colours, and some in places, that the word was not trained on; their style is open.
    """
    one = next(c for c in world().concepts if c.tier == "core" and c.name == concept)
    asked = [
        [{**row, "id": one.id, "prompt": text} for row, text in zip(rows, subject.captions(rows, called))]
        for called in (words.THING, word)
    ]
    before, after = (over(seeds, lambda seed, r=r: right(judge, draw(pipe, r, seed, **how), r)["concept"]) for r in asked)
    return {"thing_base": score(before), "thing": score(after), "thing_gain": paired(before, after)}


def style_scores(base, pipe, word, seeds=(0,), limit=80, **how):
    """Does the word give the new style? The share of images in it, for prompts with its plain name and with the word."""
    rows = newstyle.rows(limit=limit)
    asked = [{**r, "prompt": r["prompt"].replace(words.NEW_STYLE, word)} for r in rows]
    before, after = (
        over(seeds, lambda seed, p=p, r=r: named(draw(p, r, seed, **how), rows, words.NEW_STYLE)["style"])
        for p, r in ((base, rows), (pipe, asked))
    )
    return {"style_base": score(before), "style": score(after), "style_gain": paired(before, after)}


def class_scores(base, pipe, likeness, n, seeds=(0,), **how):
    """Is the class preserved?

    class: whether its images are right. resemblance: how similar they are to the subject, which was not asked for
    (Ruiz et al. 2023 measure the loss of the prior this way). diversity: how different they are from one another, which
    was observed to fall with the prior as well as without it; the ceiling is that of real scenes.
    """
    rows, real = subject.class_rows(n), subject.render(subject.HELD_OUT)[0]
    sets = [[draw(p, rows, 300 + seed, **how) for seed in seeds] for p in (base, pipe)]
    was, now = (mixed([likeness.apart(x) for x in pictures]) for pictures in sets)
    other, alike = (mixed([likeness.to_all(x, real) for x in pictures]) for pictures in sets)
    before, after = (mixed([right(likeness.judge, x, rows)["concept"] for x in pictures]) for pictures in sets)
    best = likeness.apart(scenes.render(scenes.spec_of(rows))[0])
    return {
        "diversity_base": mean(was, UNIT),
        "diversity": mean(now, UNIT),
        "diversity_ceiling": mean(best, UNIT),
        "diversity_change": diversity_change(was, now),
        "resemblance_base": mean(other, UNIT),
        "resemblance": mean(alike, UNIT),
        "resemblance_change": paired(other, alike, UNIT),
        "class_base": score(before),
        "class": score(after),
        "class_change": paired(before, after),
    }


def diversity_change(before, after):
    """paired() for Likeness.apart of two sets of images.

    Every pair counts for both of its images, so the interval is twice as wide.
    """
    change = paired(before, after, UNIT)
    return change | {end: round(2 * change[end] - change["value"], 4) for end in ("low", "high")}


def forgetting(base, pipe, judge, limit=80, seeds=(0,), **how):
    """The share of frozen core prompts whose concept is no longer recognised: before minus after, paired."""
    rows = prompts("core", "full")[:limit]
    before, after = (over(seeds, lambda seed, p=p: right(judge, draw(p, rows, seed, **how), rows)["concept"]) for p in (base, pipe))
    return {"concept_base": score(before), "concept": score(after), "forgetting": paired(after, before)}


def over(seeds, measure):
    """measure(seed) for every seed, averaged for each prompt."""
    return mixed([measure(seed) for seed in seeds])


def mixed(values):
    """The mean of several seeds, (B,); a single one is returned unchanged, booleans for instance."""
    return values[0] if len(values) == 1 else torch.stack(values).double().mean(0)
