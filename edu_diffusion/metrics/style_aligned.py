"""Do the images of a batch agree in style, with and without StyleAligned's shared attention?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from .. import steps
from ..data import newstyle, scenes, words
from .accuracy import background
from .nearest import ground, nearest_reference
from .sampling import draw
from .statistics import mean, paired, score
from .style import SEEDS

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

TOGETHER = 4  # images in a batch of StyleAligned
WEIGHT = 2.0  # weight of the first image in its shared attention


def aligned_scores(
    pipe: "StableDiffusionPipeline", seeds: Sequence[int] = SEEDS, limit: int | None = None, weight: float = WEIGHT
) -> dict[str, dict]:
    """Do the images of a batch agree in style, with and without shared attention? {name: score}

    A batch is TOGETHER prompts of different concepts without colour or style; only the first
    names a style, and each batch another colour. colour: the share of the others on the first one's background;
    drawing: the share nearest to a sprite in the first one's style; likeness: similarity of lines and colours,
    see `gram`. first_identical: the share of first images that are bit for bit the same. weight: as in
    steps.aligned.
    """
    plain = []
    shared = []
    rows = batches(limit)
    for seed in seeds:
        for i, batch in enumerate(rows):
            plain.append(draw(pipe, batch, seed + TOGETHER * i).cpu())
            with steps.aligned(pipe.unet, TOGETHER, weight=weight):
                shared.append(draw(pipe, batch, seed + TOGETHER * i).cpu())
    same = torch.tensor([torch.equal(a[0], b[0]) for a, b in zip(plain, shared)])
    before, after = (agreement(pictures, rows * len(seeds)) for pictures in (plain, shared))
    scores = {"first_identical": score(same)}
    for name, unit in (("colour", None), ("drawing", None), ("likeness", "cosine")):
        scores |= {
            f"{name}_alone": mean(before[name], unit),
            name: mean(after[name], unit),
            f"{name}_gain": paired(before[name], after[name], unit or "share"),
        }
    return scores | {
        "concept_alone": score(before["concept"]),
        "concept": score(after["concept"]),
        "concept_change": paired(before["concept"], after["concept"]),
    }


def batches(limit=None):
    """Lists of TOGETHER prompt rows; the first names style and colour, the others neither."""
    rows = [r for r in newstyle.rows("", limit) if (r["size"], r["place"]) == ("big", "centre")]
    rows = list({r["id"]: r for r in rows}.values())
    groups = [rows[i : i + TOGETHER] for i in range(0, len(rows) - TOGETHER + 1, TOGETHER)]
    return [[asked(r, i, k == 0) for k, r in enumerate(group)] for i, group in enumerate(groups)]


def asked(row, number, leads):
    """A row that leads its batch, with a colour and a style, or one that follows it."""
    name = newstyle.world().by_id[row["id"]].name
    colour, style = (row["colour"], words.STYLES[number % 3]) if leads else ("", "")
    return {**row, "colour": colour, "style": style, "prompt": words.caption(name, colour, row["size"], row["place"], style)}


def agreement(pictures, rows):
    """For every batch the agreement of the others with the first, (batches,), and for every image its concept."""
    flat = [r for batch in rows for r in batch]
    concept, style, *_ = nearest_reference(torch.cat(pictures))
    style, right_ = style.view(-1, TOGETHER), concept == scenes.spec_of(flat).concept
    colour = background(torch.cat(pictures)).view(-1, TOGETHER)
    look = torch.stack([gram(images) for images in pictures])
    others = {
        "colour": colour[:, 1:] == colour[:, :1],
        "drawing": style[:, 1:] == style[:, :1],
        "likeness": (look[:, 1:] * look[:, :1]).sum(2),
    }
    return {name: value.float().mean(1) for name, value in others.items()} | {"concept": right_}


def gram(images, cells=8):
    """Texture independent of position: the Gram matrix of small patches, as a vector of length 1, (B, numbers).

    Patches of cells x cells pixels, minus the background, so that an empty image is similar to none. The
    judge is not used here: it was trained to classify styles, so its features would favour them.
    """
    patches = torch.nn.functional.unfold(images - ground(images), cells, stride=cells // 2)
    return torch.nn.functional.normalize((patches @ patches.transpose(1, 2)).flatten(1), dim=1)
