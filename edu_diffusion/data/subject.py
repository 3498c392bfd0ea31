"""Zib, a robot that exists nowhere else: drawn here by the program, so that no model can have seen it.

    four = scenes_of(TRAINING, f"{TOKEN} {CLASS}")      # images (4, 3, 64, 64), masks, captions
    others = scenes_of(HELD_OUT)                        # other colours, sizes and places, to judge with

DreamBooth and textual inversion learn it from the four pictures. A row says what prompts.csv's rows say: colour,
size, place. A robot is what the base already knows, in three drawings; none of them looks like this one.
"""

import functools
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw

from . import scenes, words
from .world import world

CLASS = "robot"  # the class of the subject, a word that the base knows
TOKEN = "zib"  # the rare word that is to mean this one robot
TEAL, DARK, YELLOW, WHITE, PINK, ORANGE = "#0fa3a3", "#123047", "#ffd23f", "#ffffff", "#e0338a", "#f26b21"


def row(colour, size="medium", place="centre", style=""):
    """A row such as those of prompts.csv, of what matters here."""
    return {"colour": colour, "size": size, "place": place, "style": style}


TRAINING = (row("blue"), row("yellow", "big"), row("white", place="left"), row("green", place="right"))
HELD_OUT = tuple(row(colour, size, place)
                 for colour in ("red", "purple", "pink", "gray", "orange", "black")
                 for size, place in (("medium", "centre"), ("big", "centre"), ("medium", "right"), ("medium", "top")))


class Pictures(NamedTuple):
    """images (B, 3, 64, 64) in [-1, 1]; masks (B, 1, 64, 64) bool, the thing itself; captions."""

    images: torch.Tensor
    masks: torch.Tensor
    captions: list


@functools.cache
def sprite(size=64):
    """Zib on nothing, as World.sprites has it: (4, size, size) uint8, colour times alpha, then alpha."""
    large = Image.new("RGBA", (512, 512))
    paint(ImageDraw.Draw(large))
    rgba = torch.from_numpy(np.array(large)).permute(2, 0, 1).float()
    rgba[:3] *= rgba[3:] / 255
    small = torch.nn.functional.interpolate(rgba[None], (size, size), mode="bilinear", antialias=True)[0]
    return small.round().clamp(0, 255).to(torch.uint8)


def paint(draw):
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


def render(rows, rng=None):
    """Paint Zib as the rows say: images (B, 3, 64, 64) in [-1, 1] and masks (B, 1, 64, 64).

    rng jitters the background by up to 6 grey levels; None: the palette's colour itself.
    """
    colours = torch.stack([scenes.PALETTE[scenes.COLOURS.index(r["colour"])] for r in rows])[:, :, None, None]
    if rng is not None:
        colours = (colours + (torch.rand(len(rows), 3, 1, 1, generator=rng) - 0.5) * (12 / 127.5)).clamp(-1, 1)
    images = colours.repeat(1, 1, scenes.PICTURE, scenes.PICTURE)
    masks = torch.zeros(len(rows), 1, scenes.PICTURE, scenes.PICTURE, dtype=torch.bool)
    for image, mask, r in zip(images, masks, rows):
        paste(image, mask, words.SIZES[r["size"]], words.PLACES[r["place"]])
    return images, masks


def paste(image, mask, edge, place):
    """Put Zib onto one image, in place, where scenes would put a sprite."""
    free = (scenes.PICTURE - edge) // 2
    x, y = (free + int(direction * free / scenes.GRID) * scenes.GRID for direction in place)
    colour, alpha = (sprite(edge).float() / 255).split([3, 1])
    part = (slice(None), slice(y, y + edge), slice(x, x + edge))
    image[part] = 2 * colour - alpha + (1 - alpha) * image[part]
    mask[part] |= alpha > 0.5


def scenes_of(rows, name=CLASS, rng=None):
    """Pictures of Zib with captions that call it `name`; rng: as in render."""
    return Pictures(*render(rows, rng), captions(rows, name))


def captions(rows, name):
    """What the rows say, of a thing called `name`."""
    return [words.caption(name, r["colour"], r["size"], r["place"], r["style"]) for r in rows]


def class_rows(n, styles=scenes.STYLES):
    """n rows of the class, to be drawn by the base: every style on every colour in turn, as prompts.csv has them."""
    one = next(c for c in world().concepts if c.name == CLASS)
    pairs = [(style, colour) for colour in scenes.COLOURS for style in styles]
    rows = [row(colour, style=style) for style, colour in (pairs[i % len(pairs)] for i in range(n))]
    return [{**r, "id": one.id, "split": "class", "prompt": caption} for r, caption in zip(rows, captions(rows, CLASS))]
