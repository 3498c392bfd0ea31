"""How every figure of the lessons looks: sizes, colours that the colour-blind tell apart, sharp pixels."""

import numpy as np
from matplotlib.figure import Figure

DPI = 100
TEXT, SMALL = 11, 9.5  # points; at 100 dpi still read when a page 1024 wide shrinks the figure by a third
INK, QUIET, PAPER = "#1a1a1a", "#5f6b76", "#ffffff"
BLUE, ORANGE, GREEN, PINK = "#0072b2", "#e69f00", "#009e73", "#cc79a7"  # of Okabe and Ito's palette
LIGHT = "#e8eef4"  # the filling of boxes
SIGNED, AMOUNT = "PuOr_r", "cividis"  # for values around 0; for values from 0
GAP = 8  # pixels between pictures


def canvas(width, height):
    """A white Figure of width x height pixels, without pyplot: callbacks of widgets may run in any thread."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)


def panel(fig, x, y, width, height):
    """Axes without decoration whose top-left corner is x, y pixels from the figure's."""
    w, h = fig.get_size_inches() * DPI
    axes = fig.add_axes((x / w, 1 - (y + height) / h, width / w, height / h))
    axes.set_axis_off()
    return axes


def show(fig, pixels, x, y, edge, **colours):
    """Place a picture so that every pixel becomes a square of whole screen pixels; edge: a multiple of its width."""
    panel(fig, x, y, edge, edge).imshow(pixels, interpolation="nearest", aspect="auto", **colours)


def write(fig, x, y, text, size=TEXT, **style):
    """Put text at x, y pixels from the top-left corner of the figure. A $ is a $, and begins no formula."""
    w, h = fig.get_size_inches() * DPI
    usual = {"fontsize": size, "color": INK, "ha": "center", "va": "center", "parse_math": False}
    fig.text(x / w, 1 - y / h, text, **usual | style)


def array(x):
    """A tensor on any device, or anything like an array, as a float32 numpy array."""
    x = x.detach().cpu().float() if hasattr(x, "detach") else x
    return np.asarray(x, dtype=np.float32)


def rgb(x):
    """A picture (3, H, W) in [-1, 1] as (H, W, 3), uint8, rounded like steps.to_uint8."""
    shape = tuple(np.shape(x))
    if len(shape) != 3 or shape[0] != 3:
        raise ValueError(f"A picture has the shape {shape}; it must be (3, height, width): x[0] of a batch.")
    return np.clip(array(x) * 127.5 + 127.5, 0, 255).round().astype(np.uint8).transpose(1, 2, 0)
