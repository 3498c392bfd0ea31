"""Zib, a robot that exists nowhere else: drawn by this file, so that no model can have been trained on it.

    four = scenes_of(TRAINING, f"{TOKEN} {CLASS}")      # images (4, 3, 64, 64), masks, captions
    others = scenes_of(HELD_OUT)                        # other colours, sizes and places, for evaluation

DreamBooth and textual inversion learn it from the four pictures. A row holds what prompts.csv's rows hold: colour,
size, place. The base already knows the concept "robot", from three sprites; none of them looks like this one.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw

from . import scenes, words
from .world import world

CLASS = "robot"  # the class of the subject, a word that the base knows
TOKEN = "zib"  # the rare word that will mean this one robot
TEAL = "#0fa3a3"
DARK = "#123047"
YELLOW = "#ffd23f"
WHITE = "#ffffff"
PINK = "#e0338a"
ORANGE = "#f26b21"


def row(colour: str, size: str = "medium", place: str = "centre", style: str = "") -> dict[str, str]:
    """A row like those of prompts.csv, with the attributes that matter here."""
    return {"colour": colour, "size": size, "place": place, "style": style}


TRAINING = (row("blue"), row("yellow", "big"), row("white", place="left"), row("green", place="right"))
HELD_OUT = tuple(
    row(colour, size, place)
    for colour in ("red", "purple", "pink", "gray", "orange", "black")
    for size, place in (("medium", "centre"), ("big", "centre"), ("medium", "right"), ("medium", "top"))
)


class Pictures(NamedTuple):
    """images (B, 3, 64, 64) in [-1, 1]; masks (B, 1, 64, 64) bool, the object itself; captions."""

    images: torch.Tensor
    masks: torch.Tensor
    captions: list


@functools.cache
def sprite(size: int = 64) -> torch.Tensor:
    """Zib on a transparent background, as in World.sprites: (4, size, size) uint8, colour times alpha, then alpha."""
    large = Image.new("RGBA", (512, 512))
    paint(ImageDraw.Draw(large))
    rgba = torch.from_numpy(np.array(large)).permute(2, 0, 1).float()
    rgba[:3] *= rgba[3:] / 255
    small = torch.nn.functional.interpolate(rgba[None], (size, size), mode="bilinear", antialias=True)[0]
    return small.round().clamp(0, 255).to(torch.uint8)


def paint(draw: ImageDraw.ImageDraw) -> None:
    """One eye, one aerial, a striped belly and two wheels, on a square of 512 x 512."""
    draw.line((256, 130, 330, 40), fill=DARK, width=22)
    draw.ellipse((290, 4, 370, 84), fill=PINK, outline=DARK, width=14)
    for x in (70, 302):
        draw.ellipse((x, 368, x + 140, 508), fill=ORANGE, outline=DARK, width=16)
        draw.ellipse((x + 48, 416, x + 92, 460), fill=DARK)
    draw.rounded_rectangle((56, 110, 456, 430), radius=110, fill=TEAL, outline=DARK, width=18)
    for x in (136, 222, 308):
        draw.rectangle((x, 342, x + 52, 420), fill=PINK)
    draw.ellipse((146, 132, 366, 332), fill=YELLOW, outline=DARK, width=16)
    draw.ellipse((196, 172, 316, 292), fill=DARK)
    draw.ellipse((216, 186, 262, 232), fill=WHITE)


def render(rows: Sequence[dict], rng: torch.Generator | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """Render Zib as the rows say: images (B, 3, 64, 64) in [-1, 1] and masks (B, 1, 64, 64).

    rng jitters the background by up to 6 grey levels; None: the exact palette colour.
    """
    colours = torch.stack([scenes.PALETTE[scenes.COLOURS.index(r["colour"])] for r in rows])[:, :, None, None]
    if rng is not None:
        colours = (colours + (torch.rand(len(rows), 3, 1, 1, generator=rng) - 0.5) * (12 / 127.5)).clamp(-1, 1)
    images = colours.repeat(1, 1, scenes.PICTURE, scenes.PICTURE)
    masks = torch.zeros(len(rows), 1, scenes.PICTURE, scenes.PICTURE, dtype=torch.bool)
    for image, mask, r in zip(images, masks, rows):
        paste(image, mask, words.SIZES[r["size"]], words.PLACES[r["place"]])
    return images, masks


def paste(image: torch.Tensor, mask: torch.Tensor, edge: int, place: tuple[int, int]) -> None:
    """Paste Zib into one image, in place, where scenes would put a sprite."""
    free = (scenes.PICTURE - edge) // 2
    x, y = (free + int(direction * free / scenes.GRID) * scenes.GRID for direction in place)
    colour, alpha = (sprite(edge).float() / 255).split([3, 1])
    part = (slice(None), slice(y, y + edge), slice(x, x + edge))
    image[part] = 2 * colour - alpha + (1 - alpha) * image[part]
    mask[part] |= alpha > 0.5


def scenes_of(rows: Sequence[dict], name: str = CLASS, rng: torch.Generator | None = None) -> Pictures:
    """Pictures of Zib with captions that call it `name`; rng: as in render."""
    return Pictures(*render(rows, rng), captions(rows, name))


def captions(rows: Sequence[dict], name: str) -> list[str]:
    """Captions for the rows, of an object called `name`."""
    return [words.caption(name, r["colour"], r["size"], r["place"], r["style"]) for r in rows]


def class_rows(n: int, styles: Sequence[str] = scenes.STYLES) -> list[dict]:
    """n rows of the class, to be generated by the base: every style on every colour in turn, in the format of prompts.csv."""
    one = next(c for c in world().concepts if c.name == CLASS)
    pairs = [(style, colour) for colour in scenes.COLOURS for style in styles]
    rows = [row(colour, style=style) for style, colour in (pairs[i % len(pairs)] for i in range(n))]
    return [{**r, "id": one.id, "split": "class", "prompt": caption} for r, caption in zip(rows, captions(rows, CLASS))]
