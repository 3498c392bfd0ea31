"""Images and text copied onto a figure, which takes a tenth of the time of matplotlib's axes and texts.

A figure that follows a slider is redrawn for every value; still.py caches the parts that do not change.
All positions are in pixels from the figure's top-left corner.
"""

import math
import re
from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.transforms import IdentityTransform

__all__ = ["DPI", "mark", "paste", "pixels_of", "resized", "worded"]

DPI = 100
MARGIN = 2  # pixels around letters that lean out of their width
LEADING = 1.15  # distance from one line to the next, in line heights


class Pixels(Artist):
    """Pixels (H, W, 4), uint8, whose bottom-left corner is x, y pixels from the figure's."""

    def __init__(self, pixels, x, y, zorder):
        super().__init__()
        self.pixels = pixels
        self.x = x
        self.y = y
        self.set_zorder(zorder)

    def draw(self, renderer):
        paint = renderer.new_gc()
        renderer.draw_image(paint, self.x, self.y, np.ascontiguousarray(self.pixels[::-1]))
        paint.restore()


def height(fig):
    """Return the height of a figure in pixels."""
    return round(fig.get_figheight() * fig.dpi)


def paste(fig, pixels, x, y, zorder=-1):
    """Copy pixels (H, W, 3 or 4), uint8, to x, y. Where two overlap, the later one is on top."""
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    fig.add_artist(Pixels(pixels, round(x), height(fig) - round(y) - len(pixels), zorder))


def mark(fig, xs, ys, style="-", **more):
    """Draw lines or dots at pixel positions; style and further arguments are those of matplotlib's plot."""
    dots, dashes = ("o", "") if style == "o" else ("", style)
    ys = height(fig) - np.asarray(ys, float)
    fig.add_artist(Line2D(xs, ys, marker=dots, linestyle=dashes, transform=IdentityTransform(), **more))


def resized(pixels, wide, high):
    """Resize pixels (H, W, 3), uint8, by nearest neighbour: each becomes a rectangle of as equal a size as possible."""
    h, w = pixels.shape[:2]
    return pixels[np.arange(high) * h // high][:, np.arange(wide) * w // wide]


def worded(fig, x, y, text, points, color, ha="center", va="center", rotation=0, weight="normal", family="sans"):
    """Write text, of one line or several, at x, y."""
    ink = np.rot90(inked(text, points, ha, weight, family), round(rotation / 90))
    high, wide = ink.shape
    left = x - wide * {"left": 0, "center": 0.5, "right": 1}[ha]
    top = y - high * {"top": 0, "center": 0.5, "bottom": 1}[va]
    colour = np.uint8(np.multiply(to_rgb(color), 255).round())
    paste(fig, np.dstack([np.broadcast_to(colour, (high, wide, 3)), ink]), left, top, zorder=3)


@lru_cache(maxsize=512)
def inked(text, points, align, weight, family):
    """Return the coverage of each pixel of a text: (H, W), uint8, as wide and high as its lines."""
    lines = [[piece(p, points, weight, family) for p in re.findall(r"\d|\D+", line)] for line in text.split("\n")]
    tall = len(piece(" ", points, weight, family)[0])
    wide = [sum(advance for _, advance in line) for line in lines]
    high = round(LEADING * tall * (len(lines) - 1)) + tall  # the start of the last line, rounded as below, and that line
    page = np.zeros((high, math.ceil(max(wide)) + 2 * MARGIN), np.uint8)
    for i, line in enumerate(lines):
        x, y = (max(wide) - wide[i]) * {"left": 0, "center": 0.5, "right": 1}[align], round(LEADING * tall * i)
        for ink, advance in line:
            place = page[y:y + tall, round(x):round(x) + ink.shape[1]]
            np.maximum(place, ink[:, :place.shape[1]], out=place)
            x += advance
    return page[:, MARGIN:page.shape[1] - MARGIN]


@lru_cache(maxsize=1024)
def piece(text, points, weight, family):
    """Return (coverage (H, W) of a part of a line, distance to the next part). Digits are cached one by one."""
    font = FontProperties(family=family, weight=weight, size=points)

    def size(words):
        return RendererAgg(1, 1, DPI).get_text_width_height_descent(words, font, False)
    _, tall, below = size("lp")
    advance = size(f"|{text}|")[0] - size("||")[0]
    page = RendererAgg(math.ceil(advance) + 2 * MARGIN, math.ceil(tall) + 1, DPI)
    page.draw_text(page.new_gc(), MARGIN, round(tall - below), text, font, 0)
    return np.asarray(page.buffer_rgba())[:, :, 3].copy(), advance


def pixels_of(fig):
    """Draw a figure and return its pixels (H, W, 4), uint8."""
    agg = FigureCanvasAgg(fig)
    agg.draw()
    return np.asarray(agg.buffer_rgba())
