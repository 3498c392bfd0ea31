"""What is right in each image, and means and shares with their confidence intervals.

The judge predicts concept, style, size and place; the background's colour is read from the image's frame. The nearest
reference (drawings.py) answers the same questions. What a prompt leaves unspecified is not evaluated: it counts as right.
"""

import functools
from collections.abc import Mapping, Sequence

import torch

from ..data import scenes, words
from ..data.world import world
from . import parts
from .judge import Judge
from .nearest import ground, nearest_reference

SIDES = ("left", "right", "top", "bottom")
KINDS = {"size": scenes.SIZES, "place": scenes.PLACES, "style": scenes.ALL_STYLES, "colour": scenes.COLOURS}


def background(images: torch.Tensor) -> torch.Tensor:
    """Index of the palette colour nearest to the frame's median: (B, 3, 64, 64) -> (B,)."""
    distance = (ground(images)[:, None, :, 0, 0] - scenes.PALETTE.to(images)).square().sum(2)
    return distance.argmin(dim=1)


@torch.no_grad()
def read(judge: Judge, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Predictions of judge and frame: {"concept": (B, 5), best first; "colour", "style", "size", "place": (B,)}, on the CPU."""
    answers = answer(judge, images)
    best = {part: answers[part].argmax(1).cpu() for part in ("style", "size", "place")}
    return best | {"concept": answers["concept"].topk(5, dim=1).indices.cpu(), "colour": background(images).cpu()}


def read_nearest(images, styles=scenes.STYLES, tier="core"):
    """The same by the nearest reference, with one prediction for the concept: (B, 1); and "distance"."""
    concept, style, distance, size, place = nearest_reference(images, styles, tier)
    return {
        "concept": concept[:, None],
        "colour": background(images).cpu(),
        "style": style,
        "size": size,
        "place": place,
        "distance": distance,
    }


def described(found: Mapping[str, torch.Tensor]) -> list[str]:
    """What `read` or `read_nearest` found, a line for each image: "big cat face, centre, noto style, on blue".

    So a picture can be described by what a program sees in it, not by what was hoped for.
    """
    names = (
        [world().concepts[i].name for i in found["concept"][:, 0].tolist()],
        *([kinds[i] for i in found[part].tolist()] for part, kinds in KINDS.items()),
    )
    return [f"{size} {name}, {place}, {style} style, on {colour}" for name, size, place, style, colour in zip(*names)]


def right(
    judge: Judge, images: torch.Tensor, rows: Sequence[dict], found: dict[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """What is right in each image by the judge, by prompt rows: dict of (B,) booleans, on the CPU.

    "pair": concept, colour and style; "all": everything that was asked. Empty cells count as right. found: the result of
    `read`, if already known.
    """
    verdict = compared(found or read(judge, images), rows)
    return combined(verdict | several(verdict, images, rows, functools.partial(read, judge)))


def right_by_nearest(
    images: torch.Tensor, rows: Sequence[dict], found: dict[str, torch.Tensor] | None = None, tier: str = "core"
) -> dict[str, torch.Tensor]:
    """The same by the nearest reference. found: the result of read_nearest, if already known."""
    verdict = compared(found or read_nearest(images, tier=tier), rows)
    del verdict["top5"]
    return combined(verdict | several(verdict, images, rows, lambda crops: {"concept": parts.nearest_concept(crops)[:, None]}))


def compared(found, rows):
    """Predictions compared with the prompt, attribute by attribute: dict of (B,) booleans."""
    verdict = {
        part: torch.tensor([not r[part] or int(x) in values(part, r[part]) for x, r in zip(found[part], rows)])
        for part in ("colour", "style", "size", "place")
    }
    named = [concepts(r) for r in rows]
    verdict["concept"] = torch.tensor([wanted is None or int(x[0]) in wanted for x, wanted in zip(found["concept"], named)])
    verdict["top5"] = torch.tensor(
        [wanted is None or not wanted.isdisjoint(x.tolist()) for x, wanted in zip(found["concept"], named)]
    )
    return verdict


@functools.cache
def values(part, word):
    """The indices that a word allows: for a side its corners too, for other words for size or place the most typical value."""
    names = {"colour": scenes.COLOURS, "style": scenes.ALL_STYLES, "size": scenes.SIZES, "place": scenes.PLACES}[part]
    if part in ("colour", "style"):
        return {names.index(word)}
    if word in SIDES:
        return {i for i, name in enumerate(names) if word in name.split()}
    fits = words.FITS[part][word]
    return {names.index(max(fits, key=fits.get))}


def concepts(row):
    """The indices of the concepts that a row allows: one, those of a category, or None for any."""
    if row["id"]:
        return {world().by_id[row["id"]].index}
    return members(row["category"]) if row.get("category") else None


@functools.cache
def members(category):
    return set(world().members(category).tolist())


def several(verdict, images, rows, reader):
    """Prompts for more than one object, evaluated part by part: "count", "other", and "concept". reader: crops -> {"concept"}.

    "count": as many parts as requested. "concept" and "other": some part is recognised as such.
    """
    found = {
        "count": torch.ones(len(rows), dtype=torch.bool),
        "other": torch.ones(len(rows), dtype=torch.bool),
        "concept": verdict["concept"].clone(),
    }
    many = [i for i, r in enumerate(rows) if not alone(r)]
    for i, (n, named) in zip(many, things(images[many], reader)):
        found["count"][i] = bool(rows[i].get("other")) or n == int(rows[i]["count"])
        found["concept"][i] = concepts(rows[i]) is None or not concepts(rows[i]).isdisjoint(named)
        found["other"][i] = not rows[i].get("other") or world().by_id[rows[i]["other"]].index in named
    return found


def alone(row):
    """Whether a row asks for a single object."""
    return not row.get("other") and int(row.get("count") or 1) == 1


def things(images, reader):
    """(number of parts, set of their concepts) of each image."""
    if not len(images):
        return []
    found = parts.masks(images)
    crops = [parts.crops(image, masks) for image, masks in zip(images, found)]
    named = iter(reader(torch.cat(crops))["concept"][:, 0].tolist()) if any(map(len, crops)) else iter(())
    return [(len(masks), {next(named) for _ in crop}) for masks, crop in zip(found, crops)]


def combined(verdict):
    """Adds "pair", concept, colour and style all right, and "all", everything that was asked."""
    pair = verdict["concept"] & verdict["colour"] & verdict["style"]
    rest = [verdict[part] for part in ("size", "place", "count", "other") if part in verdict]
    return verdict | {"pair": pair, "all": torch.stack([pair, *rest]).all(0)}


@torch.no_grad()
def answer(judge, images, batch=200):
    """The judge's logits for many images, in batches, on the judge's own device."""
    device = next((p.device for p in judge.parameters()), images.device)
    answers = [judge(x.to(device)) for x in images.split(batch)]
    return {key: torch.cat([part[key] for part in answers]) for key in answers[0]}
