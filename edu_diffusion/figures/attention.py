"""Attention maps over a picture: one heat map for each word of the prompt."""

import textwrap
from collections.abc import Sequence

import numpy as np

from .artists import paste, resized
from .hints import Array, Arrays
from .rendering import Picture, picture
from .style import AMOUNT, GAP, QUIET, SMALL, array, canvas, coloured, rgb, write

__all__ = ["attention_overlay"]

WIDTH = 1000
HEAT = 0.7  # how much of a panel's colour is heat; the rest is the picture in grey


def attention_overlay(
    image: Array, heats: Arrays, words: Sequence[str], shared: bool = True, scale: int = 2, title: str = ""
) -> Picture:
    """Show the picture, and for each word the picture in grey, coloured by each position's attention to the word.

    image: (3, H, W) in [-1, 1]. heats: (N, H, W), attention weights from 0 to 1. words: N strings. shared: whether all
    words share one colour scale, from 0 to the largest weight; if not, each has its own. scale: the edge of a
    pixel. title: text above. Returns a Picture.
    """
    heats = array(heats)
    if len(heats) != len(words) or heats.shape[1:] != tuple(image.shape[1:]) or not len(words):
        raise ValueError(
            f"There are heat maps {heats.shape} and {len(words)} words for a picture "
            f"{tuple(image.shape)}; give one heat map of the picture's size for each word."
        )
    tops = [float(heat.max()) for heat in heats]
    limits = [max(tops)] * len(tops) if shared else tops
    panels = [rgb(image), *(overlay(rgb(image), heat / (top or 1)) for heat, top in zip(heats, limits))]
    labels = ["the picture", *(f"{word}\nup to {share(top)}" for word, top in zip(words, tops))]
    fig, bottom = sheet(panels, labels, image.shape[-1] * scale, image.shape[-2] * scale, title)
    legend(fig, bottom, share(max(tops)) if shared else "the word's largest weight")
    told = "; ".join(f'"{w}" up to {share(top)}, {place(h)}' for w, top, h in zip(words, tops, heats))
    scales = "all on one scale" if shared else "each on its own scale"
    above = f"{title.rstrip('.')}. " if title else ""
    return picture(fig, f"{above}A picture, and heat maps of its attention to words, {scales}: {told}.")


def overlay(pixels, heat):
    """Blend a heat map's colours with the picture in grey, uint8. pixels: (H, W, 3) uint8. heat: (H, W) in [0, 1]."""
    grey = pixels.astype(np.float32) @ np.float32([0.299, 0.587, 0.114]) / 255
    return np.uint8(255 * (1 - HEAT) * grey[:, :, None] + HEAT * coloured(heat, AMOUNT))


def sheet(panels, labels, wide, high, title=""):
    """Lay out a title and rows of panels with labels below; return the figure and the y at which they end."""
    columns = min(len(panels), max(WIDTH // (wide + GAP), 1))
    lines, tall = -(-len(panels) // columns), high + 44
    across, top = max(columns * (wide + GAP) + GAP, 340), GAP + (24 if title else 0)
    fig = canvas(across, top + lines * tall + 44)
    write(fig, GAP, 16, textwrap.shorten(title, across // 8, placeholder="..."), ha="left")
    for i, (pixels, label) in enumerate(zip(panels, labels)):
        x, y = GAP + i % columns * (wide + GAP), top + i // columns * tall
        paste(fig, resized(pixels, wide, high), x, y)
        word, *more = label.split("\n")
        write(fig, x + wide / 2, y + high + 4, textwrap.shorten(word, wide // 8, placeholder="..."), va="top")
        write(fig, x + wide / 2, y + high + 22, "".join(more), SMALL, va="top", color=QUIET)
    return fig, top + lines * tall


def legend(fig, y, top):
    """Draw the colour scale, from no attention to the most."""
    ramp = overlay(np.full((1, 128, 3), 128, dtype=np.uint8), np.linspace(0, 1, 128)[None])
    write(fig, GAP, y + 12, "0", SMALL, ha="left")
    paste(fig, resized(ramp, 128, 16), GAP + 14, y + 4)
    write(fig, GAP + 148, y + 12, f"{top} of the attention", SMALL, ha="left")


def share(x):
    """Return a fraction as a percentage with two significant digits."""
    return f"{100 * x:.2g} %" if x < 0.1 else f"{100 * x:.0f} %"


def place(heat):
    """Say in which ninth of the picture the heat is greatest."""
    if heat.mean() > 0.8 * heat.max():
        return "about the same everywhere"
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    down = ("most at the top", "most in the middle", "most at the bottom")[3 * y // heat.shape[0]]
    across = (", left", "", ", right")[3 * x // heat.shape[1]]
    return down + across
