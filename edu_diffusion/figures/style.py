"""The style of all figures: sizes, a colour-blind safe palette, sharp pixels."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from .artists import DPI, draw_text, paste, resized

TEXT, SMALL = 11, 9.5  # points; at 100 dpi still legible when a page 1024 pixels wide shrinks the figure by a third
INK, QUIET, PAPER = "#1a1a1a", "#5f6b76", "#ffffff"
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#e69f00", "#009e73", "#cc79a7"  # of Okabe and Ito's palette
LIGHT = "#e8eef4"  # the fill colour of boxes
SIGNED, AMOUNT = "PuOr_r", "cividis"  # for values around 0; for values from 0
GAP = 8  # pixels between pictures


def canvas(width, height, paper=PAPER):
    """Return a Figure of width x height pixels, without pyplot: widget callbacks may run in any thread."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=paper)


def panel(fig, x, y, width, height):
    """Add axes without decoration whose top-left corner is x, y pixels from the figure's."""
    w, h = fig.get_size_inches() * DPI
    axes = fig.add_axes((x / w, 1 - (y + height) / h, width / w, height / h))
    axes.set_axis_off()
    return axes


def show(fig, pixels, x, y, edge, cmap=None, vmin=0.0, vmax=1.0):
    """Place a square picture, pixels (H, W, 3), uint8, or a map (h, w) with its colours, `edge` pixels wide."""
    pixels = pixels if cmap is None else coloured(pixels, cmap, vmin, vmax)
    paste(fig, resized(pixels, round(edge), round(edge)), x, y)


def place(fig, pixels, x, y, wide, high, cmap=None, vmin=0.0, vmax=1.0):
    """Put a picture (3, H, W) in [-1, 1], or a map (h, w) with its colours, at x, y."""
    pixels = rgb(pixels) if cmap is None else coloured(pixels, cmap, vmin, vmax)
    if wide >= pixels.shape[1]:
        paste(fig, resized(pixels, round(wide), round(high)), x, y)
    else:
        panel(fig, x, y, wide, high).imshow(pixels, interpolation="antialiased", aspect="auto")


def fill(fig, x, y, wide, high, colour):
    """Draw a rectangle of one colour in the layer of the pictures."""
    paste(fig, np.full((round(high), round(wide), 3), np.multiply(to_rgb(colour), 255).round(), np.uint8), x, y)


def coloured(values, cmap, vmin=0.0, vmax=1.0):
    """Return the colours (..., 3), uint8, of values from vmin to vmax; values beyond get the colour of that end."""
    return colormaps[cmap]((array(values) - vmin) / (vmax - vmin), bytes=True)[..., :3]


def write(fig, x, y, text, size=TEXT, color=INK, **style):
    """Write text at x, y pixels from the top-left corner of the figure; style: see `draw_text`. A $ stays a $."""
    draw_text(fig, x, y, text, size, color, **style)


def array(x):
    """Return a tensor on any device, or anything array-like, as a float32 numpy array."""
    x = x.detach().cpu().float() if hasattr(x, "detach") else x
    return np.asarray(x, dtype=np.float32)


def rgb(x):
    """Return a picture (3, H, W) in [-1, 1] as (H, W, 3), uint8, rounded like steps.to_uint8."""
    shape = tuple(np.shape(x))
    if len(shape) != 3 or shape[0] != 3:
        raise ValueError(f"A picture has the shape {shape}; it must be (3, height, width): x[0] of a batch.")
    return np.clip(array(x) * 127.5 + 127.5, 0, 255).round().astype(np.uint8).transpose(1, 2, 0)
