"""Images and text copied onto a figure, which takes a fraction of the time of matplotlib's axes and texts.

A figure that follows a slider is redrawn for every value; static_layer.py caches the parts that do not change.
All positions are in pixels from the figure's top-left corner.
"""

import math
from functools import lru_cache

import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.lines import Line2D
from matplotlib.transforms import IdentityTransform
from PIL import Image, ImageDraw, ImageFont

__all__ = ["DPI", "draw_text", "mark", "paste", "pixels_of", "resized", "text_mask"]

DPI = 100
LEAN = 1  # pixels on both sides of a line, for letters that lean out of their width
LEADING = 1.2  # distance from one line to the next, in line heights, as in matplotlib


class Pixels(Artist):
    """Pixels (H, W, 4), uint8, whose bottom-left corner is x, y pixels from the figure's.

    By hand, because Figure.figimage resamples every image: that takes seven times as long.
    """

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
    return np.asarray(Image.fromarray(pixels).resize((wide, high), Image.Resampling.NEAREST))


def draw_text(fig, x, y, text, points, color, ha="center", va="center", rotation=0, weight="normal", family="sans"):
    """Write text, of one line or several, at x, y; rotation: a multiple of 90 degrees."""
    mask = text_mask(text, points, ha, weight, family).rotate(rotation, expand=True)
    ink = Image.new("RGB", mask.size, to_hex(color))
    ink.putalpha(mask)
    left = x - ink.width * {"left": 0, "center": 0.5, "right": 1}[ha]
    top = y - ink.height * {"top": 0, "center": 0.5, "bottom": 1}[va]
    paste(fig, np.array(ink), left, top, zorder=3)


@lru_cache(maxsize=512)  # most words of a figure stay the same while a slider moves
def text_mask(text, points, align="left", weight="normal", family="sans"):
    """Return the coverage of each pixel of a text, a grey image as wide as its longest line.

    Lines are as high as "lp", as in matplotlib, so that a text stands at the same height whatever its letters.
    """
    face = font(points, weight, family)
    _, top, _, bottom = face.getbbox("lp", anchor="ls")
    leading = round(LEADING * (bottom - top))
    lines = text.split("\n")
    wide = math.ceil(max(map(face.getlength, lines)))
    page = Image.new("L", (wide + 2 * LEAN, bottom - top + leading * (len(lines) - 1)))
    spacing = leading - face.getbbox("A")[3]  # Pillow adds the spacing to the height of an A
    ImageDraw.Draw(page).multiline_text((LEAN, -top), text, 255, face, "ls", spacing, align)
    return page


@lru_cache
def font(points, weight, family):
    """Return matplotlib's own font. Basic layout: the other needs a library that not every computer has."""
    file = findfont(FontProperties(family=family, weight=weight))
    return ImageFont.truetype(file, points * DPI / 72, layout_engine=ImageFont.Layout.BASIC)


def pixels_of(fig):
    """Draw a figure and return its pixels (H, W, 4), uint8."""
    agg = FigureCanvasAgg(fig)
    agg.draw()
    return np.asarray(agg.buffer_rgba())
