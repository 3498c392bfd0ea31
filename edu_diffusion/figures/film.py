"""Pictures in rows: samples side by side, and a film strip of the denoising steps."""

import textwrap
from collections.abc import Sequence

import numpy as np

from ..errors import said
from .hints import Array, Arrays
from .rendering import Picture, picture
from .style import GAP, QUIET, SMALL, array, canvas, place, rgb, show, write

__all__ = ["contact_sheet", "film_strip", "row"]

LINE = 17  # pixels from one line of a label to the next


def row(images: Arrays, labels: Sequence[str], alt: str | None = None, scale: int = 2) -> Picture:
    """Show pictures side by side, each with its label below.

    images: (B, 3, H, W) in [-1, 1]. labels: B strings. scale: the edge of a pixel. Returns a Picture.
    """
    return picture(sheet(images, labels, len(images), scale), alt or said("{} pictures: {}", len(images), "; ".join(labels)))


def film_strip(
    noisy: Arrays,
    clean: Arrays,
    labels: Sequence[str],
    result: Array | None = None,
    prompt: str = "",
    scale: int = 2,
    seed: int | None = None,
) -> Picture:
    """Show how noise becomes a picture: in the upper row the noisy x_t of each step, in the lower the predicted x_0.

    noisy, clean: (N, 3, H, W) in [-1, 1], the decoded latents z_t and z_0 of N steps. labels: N strings.
    result: (3, H, W), the final picture, shown large at the end. prompt, seed: how it was generated, for
    the alt text. Returns a Picture.
    """
    if not len(noisy) == len(clean) == len(labels):
        raise ValueError("noisy, clean and labels must have the same length: one of each for every step shown.")
    edge = noisy[0].shape[-1] * scale
    left, top = 28, 26
    large = 0 if result is None else 2 * edge + GAP
    width = left + len(noisy) * (edge + GAP) + (large + GAP if large else 0)
    fig = canvas(width, top + 2 * (edge + GAP))
    for r, (images, words) in enumerate([(noisy, said("noisy x_t")), (clean, said("predicted x_0"))]):
        y = top + r * (edge + GAP)
        write(fig, left / 2, y + edge / 2, words, SMALL, rotation=90, color=QUIET)
        for i, image in enumerate(images):
            show(fig, rgb(image), left + i * (edge + GAP), y, edge)
    for i, label in enumerate(labels):
        write(fig, left + i * (edge + GAP) + edge / 2, top / 2, label)
    if large:
        x = left + len(noisy) * (edge + GAP) + GAP
        write(fig, x + large / 2 - GAP, top / 2, said("final picture"))
        show(fig, rgb(result), x - GAP, top, large)
    asked = (said(' for "{}"', prompt) if prompt else "") + (said(", seed {}", seed) if seed is not None else "")
    alt = said(
        "Film strip{asked}: {count} denoising steps, {first} to {last}, from noise to a "
        "picture: above, the noisy x_t of each step; below, the x_0 that the model predicts from it. How much neighbouring "
        "pixels of x_0 differ on average, from 0 to 2 (little where it is soft), and its contrast, the standard deviation: {told}.",
        asked=asked,
        count=len(noisy),
        first=labels[0],
        last=labels[-1],
        told="; ".join(f"{label}: {roughness(image):.3f}, {array(image).std():.2f}" for label, image in zip(labels, clean)),
    )
    return picture(fig, alt)


def roughness(image):
    """How much neighbouring pixels of a picture (3, H, W) differ on average."""
    return np.abs(np.diff(array(image), axis=-1)).mean()


def contact_sheet(images: Arrays, labels: Sequence[str], columns: int = 8, scale: int = 2, alt: str | None = None) -> Picture:
    """Show many pictures in rows, each with its whole label below: all of them, without any selection.

    images: (B, 3, H, W) in [-1, 1]. labels: B strings. alt: what is to be noticed; None names the labels. Returns a Picture.
    """
    alt = alt or said("Contact sheet of {} pictures with their prompts: {}", len(images), "; ".join(labels))
    return picture(sheet(images, labels, columns, scale), alt)


def sheet(images, labels, columns, scale):
    """Return the figure of both: rows of pictures, each row as high as its longest label needs."""
    if len(images) != len(labels):
        raise ValueError(f"There are {len(images)} pictures and {len(labels)} labels; give one for each.")
    high, wide = (edge * scale for edge in images[0].shape[-2:])
    words = [textwrap.wrap(label, max(wide // 8, 8)) for label in labels]
    rows = [range(i, min(i + columns, len(words))) for i in range(0, len(words), columns)]
    space = [high + GAP + LINE * max(len(words[i]) for i in row) for row in rows]
    fig = canvas(min(columns, len(words)) * (wide + GAP) + GAP, GAP + sum(space))
    for r, row in enumerate(rows):
        for c, i in enumerate(row):
            x, y = GAP + c * (wide + GAP), GAP + sum(space[:r])
            place(fig, images[i], x, y, wide, high)
            write(fig, x + wide / 2, y + high + 4, "\n".join(words[i]), SMALL, va="top")
    return fig
