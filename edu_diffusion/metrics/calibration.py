"""Is the variety the right variety? Over many seeds of one open prompt, the images' distribution against the true one.

The world knows exactly how likely every colour, style, size and place is given a prompt's words. So generate images of a
prompt with many seeds, let the judge read them, and compare the histogram of each attribute that the prompt leaves
unspecified with the truth: total variation distance, 0 for equal, 1 for nothing in common. As many real scenes of the same
prompt, through the VAE and read by the same judge, give the floor: finite samples and misread images cost something too.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from ..data import scenes
from ..data.world import prompts, world
from .accuracy import read
from .judge import Judge
from .sampling import draw, through_vae
from .statistics import mean, paired
from .text_to_image import possible, said

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PARTS = ("colour", "style", "size", "place")
PROMPTS = 20  # the first open prompts
UNIT = "TV"


def calibration_scores(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    guidance: float = 1.0,
    rows: Sequence[dict] | None = None,
    seeds: int = 300,
    n_steps: int = 20,
    batch: int | None = None,
    images: Callable[[list[dict], int], torch.Tensor] | None = None,
) -> dict[str, dict]:
    """Distance of the generated from the true distribution: {name: score}, means over prompts, intervals by prompt.

    rows: prompts; None is the first PROMPTS open ones of the core. seeds: images per prompt. images: a function (rows, seed)
    that draws them; None is `draw` with guidance, n_steps and batch. calibration: the mean over a
    prompt's unspecified attributes; _floor: of real scenes; _excess: the difference, paired by prompt; and the same
    for each attribute separately, such as calibration_colour.
    """
    rows = open_prompts() if rows is None else rows
    images = images or functools.partial(draw, pipe, guidance=guidance, n_steps=n_steps, batch=batch)
    found = [of_prompt(pipe, judge, row, seeds, i, images) for i, row in enumerate(rows)]
    return table(found)


def open_prompts(limit: int | None = None) -> list[dict]:
    """The first open prompts of the core without held-out pairs, which the world does not contain; limit None is PROMPTS."""
    return [row for row in prompts("core", "open") if possible(row)][: limit or PROMPTS]


def of_prompt(pipe, judge, row, seeds, number, images):
    """{attribute: (distance of generated images, distance of real ones)} for every attribute that one prompt leaves unspecified."""
    truth, sets = expected(row), (images([row] * seeds, 10_000 * (number + 1)), real(pipe, row, seeds, number))
    seen = [histograms(read(judge, pictures)) for pictures in sets]
    return {part: tuple(distance(truth[part], other[part]) for other in seen) for part in unsaid(row)}


def real(pipe, row, n, seed=0):
    """n scenes from the true distribution given a prompt's words, through the VAE: (n, 3, 64, 64)."""
    rng = torch.Generator().manual_seed(seed)
    return through_vae(pipe, scenes.render(single(world().sample(n, rng, **said(row))), rng)[0])


def single(parts: Sequence[torch.Tensor]) -> scenes.Spec:
    """The Spec of scenes with a single object. parts: concept, colour, style, size and place, each (n,)."""
    concept, colour, style, size, place = parts
    one = torch.ones_like(concept)
    return scenes.Spec(concept, colour, style, size, place, count=one, other=-one)


def unsaid(row):
    """The unspecified attributes of a prompt, of PARTS; also "category" where the object is unspecified. Never the concept."""
    return [part for part in PARTS if not row[part]] + ["category"] * (not row["id"] and not row.get("category"))


def expected(row):
    """The true distribution: {attribute: probabilities}. A concept counts for each of its categories in equal shares."""
    truth, concept = world().conditional(**said(row)), torch.zeros(len(world().concepts))
    concept[world().tier("core")] = truth["concept"].float()
    return {part: truth[part] for part in PARTS} | {"category": concept @ memberships()}


def histograms(found):
    """The same of what a judge read. A fourth style, which nobody asked for, counts as none of the three."""
    sizes = dict(zip(PARTS, map(len, (scenes.COLOURS, scenes.ALL_STYLES, scenes.SIZES, scenes.PLACES))))
    concept = torch.bincount(found["concept"][:, 0], minlength=len(world().concepts)).float() / len(found["concept"])
    return {part: torch.bincount(found[part], minlength=n).float() / len(found[part]) for part, n in sizes.items()} | {
        "category": concept @ memberships()
    }


@functools.cache
def memberships():
    """The share of a concept that belongs to each category: (concepts, categories + 1); the last is for concepts without one."""
    table = torch.zeros(len(world().concepts), len(world().categories) + 1)
    for i, name in enumerate(world().categories):
        table[world().members(name), i] = 1
    table[:, -1] = table.sum(1) == 0
    return table / table.sum(1, keepdim=True)


def distance(truth, seen):
    """Total variation distance of two distributions: half the sum of |p - q|, 0 to 1. seen may have more values."""
    truth = torch.nn.functional.pad(truth.float(), (0, len(seen) - len(truth)))
    return ((truth - seen).abs().sum() / 2).item()


def table(found):
    """Scores from the results of of_prompt for several prompts."""
    scores = compared("calibration", [torch.tensor(list(of.values())).mean(0) for of in found])
    for part in (*PARTS, "category"):
        pairs = [torch.tensor(of[part]) for of in found if part in of]
        scores |= compared(f"calibration_{part}", pairs) if pairs else {}
    return scores


def compared(name, pairs):
    """name, name_floor and name_excess of pairs of distances, generated and real, one pair per prompt."""
    drawn, floor = torch.stack(pairs).T
    return {name: mean(drawn, UNIT), f"{name}_floor": mean(floor, UNIT), f"{name}_excess": paired(floor, drawn, UNIT)}
