"""Latents as pictures: channels and edits, interpolation between two pictures, and file size against JPEG."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .attention import place as where
from .hints import Array, Arrays
from .moments import EDGE, distance, fitted
from .rendering import Picture, picture
from .style import AMOUNT, GAP, ORANGE, QUIET, SIGNED, SMALL, array, canvas, fill, place, write

__all__ = ["Coded", "edited_latent", "reconstructions", "ways"]

TILE, SMALLER = 128, 112  # pixels: the edge of a picture in a long row, and of a channel
ERRORS = {"cmap": AMOUNT, "vmin": 0, "vmax": 0.5}


class Coded(NamedTuple):
    """A picture reconstructed from a compressed form of so many bytes."""

    words: str
    image: Array  # (3, H, W) in [-1, 1]
    nbytes: int
    db: float  # PSNR, decibels


def edited_latent(rows: Sequence[tuple[str, Array, Array]], words: str = "") -> Picture:
    """Show latents, one per row: their channels, and the picture that each decodes to; at the end what changed.

    rows: one or two of (words, z_0 (C, h, w), picture (3, H, W)); the second is the edited one. words: what
    was done. Returns a Picture.
    """
    _, z_0, image = rows[0]
    tile, edge = fitted(z_0, SMALLER), fitted(image, EDGE)
    left, row = 80, edge[1] + GAP
    width = left + min(len(z_0), 4) * (tile[0] + GAP) + edge[0] + GAP * 2
    changed = len(rows) > 1
    fig = canvas(width + (edge[0] + GAP if changed else 0), 30 + len(rows) * row)
    for c in range(min(len(z_0), 4)):
        write(fig, left + c * (tile[0] + GAP) + tile[0] / 2, 16, f"channel {c}", SMALL, color=QUIET)
    write(fig, width - edge[0] / 2 - GAP, 16, "decoded", SMALL, color=QUIET)
    for r, (title, z, pixels) in enumerate(rows):
        y = 30 + r * row
        write(fig, left / 2, y + tile[1] / 2, "\n".join(textwrap.wrap(title, 12)), SMALL)
        for c, channel in enumerate(array(z)[:4]):
            x = left + c * (tile[0] + GAP)
            place(fig, channel, x, y, *tile, cmap=SIGNED, vmin=-3, vmax=3)
            write(fig, x + tile[0] / 2, y + tile[1] + 14, f"mean {channel.mean():.2f}", SMALL, color=QUIET)
        place(fig, pixels, width - edge[0] - GAP, y, *edge)
    if changed:
        shift = np.abs(array(rows[1][2]) - array(image)).mean(0)
        write(fig, width + edge[0] / 2, 16 + row, "what changed", SMALL, color=QUIET)
        place(fig, shift, width, 30 + row, *edge, **ERRORS)
    return picture(fig, edit_told(rows, words))


def edit_told(rows, words):
    """Return the alt text of edited_latent."""
    means = ", ".join(f"{channel.mean():.2f}" for channel in array(rows[-1][1]))
    text = (
        f"The {len(rows[0][1])} channels of a latent, purple below zero and orange above, and the "
        f"picture it decodes to. {words} The channels' means: {means}."
    )
    if len(rows) < 2:
        return text
    shift = np.abs(array(rows[1][2]) - array(rows[0][2])).mean(0)
    return f"{text} The decoded picture changed by {shift.mean():.2f} on average, {where(shift)}."


def ways(rows: Mapping[str, Arrays], labels: Sequence[str], words: str, mark: int | None = None) -> Picture:
    """Show the steps of an interpolation from one picture to another, one kind of interpolation per row.

    rows: {what is interpolated: N pictures (3, H, W)}. labels: N strings. words: what is shown, for the alt text.
    mark: the picture that is framed, or None. Returns a Picture.
    """
    first, n = next(iter(rows.values()))[0], len(labels)
    if any(len(images) != n for images in rows.values()):
        raise ValueError(f"There are {n} labels, so every row needs {n} pictures.")
    wide, high = fitted(first, TILE if n > 4 else EDGE)
    lines = [textwrap.wrap(label, wide // 7)[:2] for label in labels]
    top = 12 + 16 * max(map(len, lines))
    fig = canvas(30 + n * (wide + GAP) + GAP, top + len(rows) * (high + GAP))
    for i, words_above in enumerate(lines):
        write(fig, 30 + i * (wide + GAP) + wide / 2, top / 2, "\n".join(words_above), SMALL)
    for r, (title, images) in enumerate(rows.items()):
        y = top + r * (high + GAP)
        write(fig, 15, y + high / 2, title, SMALL, rotation=90, color=QUIET)
        for i, image in enumerate(images):
            x = 30 + i * (wide + GAP)
            if i == mark:
                fill(fig, x - 3, y - 3, wide + 6, high + 6, ORANGE)
            place(fig, image, x, y, wide, high)
    told = "; ".join(f"{title}: neighbours differ by {paces(images)}" for title, images in rows.items())
    return picture(fig, f"{words} {n} pictures, {labels[0]} to {labels[-1]}. {told}.")


def paces(images):
    """Say how much each picture differs from the previous one."""
    return ", ".join(f"{distance(a, b):.2f}" for a, b in zip(images, images[1:]))


def reconstructions(image: Array, coded: Sequence[Coded], mask: Array | None = None, note: str = "") -> Picture:
    """Show a picture, and its reconstructions from several compressed forms; below, the errors.

    image: (3, H, W) in [-1, 1]. coded: a list of Coded. mask: (H, W), where the PSNR was measured, or
    None for everywhere. note: a line below. Returns a Picture.
    """
    n = len(coded) + 1
    wide, high = fitted(image, min(EDGE, (1008 - GAP) // n - GAP))
    fig = canvas(max(n * (wide + GAP) + GAP, 560), 86 + 2 * (high + GAP))
    inside = np.ones(image.shape[-2:], bool) if mask is None else array(mask).astype(bool)
    panels = [("the picture", image, f"{size(image)} bytes, raw")]
    panels += [(c.words, c.image, f"{c.nbytes} bytes: {c.db:.1f} dB") for c in coded]
    for i, (title, pixels, numbers) in enumerate(panels):
        x = GAP + i * (wide + GAP)
        write(fig, x + wide / 2, 14, title, SMALL)
        place(fig, pixels, x, 26, wide, high)
        write(fig, x + wide / 2, 26 + high + 12, numbers, SMALL)
        if i:
            error = np.abs(array(pixels) - array(image)).mean(0) * inside
            place(fig, error, x, 50 + high, wide, high, **ERRORS)
        else:
            place(fig, rgb_inside(image, inside), x, 50 + high, wide, high)
    measured = "inside the sprite" if mask is not None else "over the whole picture"
    note = f"Below, the errors, measured {measured}. {note}"
    write(fig, GAP, 62 + 2 * (high + GAP), note, SMALL, ha="left", color=QUIET)
    told = "; ".join(f"{c.words}, {c.nbytes} bytes, {c.db:.1f} dB" for c in coded)
    return picture(fig, f"Reconstructions of a compressed picture: {told}. {note}")


def size(image):
    """Return the bytes of a picture with 8 bits for each number."""
    return int(np.prod(image.shape))


def rgb_inside(image, inside):
    """Return the picture, pale where nothing is measured."""
    x = array(image)
    return np.where(inside, x, 0.25 * x + 0.75)
