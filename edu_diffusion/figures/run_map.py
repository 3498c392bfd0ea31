"""The map of one run as a static picture, with one box opened; and any tensor as a picture."""

import io
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.image import imread
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from .features import feature_maps
from .hints import Array, Numbers
from .map import sheet
from .pipeline import Details, Diagram
from .rendering import Picture, picture
from .style import BLUE, GAP, INK, LIGHT, ORANGE, PAPER, QUIET, SIGNED, SMALL, TEXT, array, canvas, panel, place, write

__all__ = ["grid", "run_map", "tensor", "token_strip"]

ROUND = {"data": 16, "network": 5, "formula": 5}
FILLED = {"data": PAPER, "network": LIGHT, "formula": PAPER}


def run_map(diagram: Diagram, details: Details | None = None) -> Picture:
    """Show the boxes and arrows of a run; the box that `details` describe is marked, and opened below.

    diagram: see figures.pipeline. details: its Details, or None. Returns a Picture.
    """
    pixels = imread(io.BytesIO(details.picture.png)) if details and details.picture else np.zeros((0, 0, 3))
    lines = told(details) if details else []
    high = diagram.height + (19 * len(lines) + 20 if lines else 0)
    wide = max(diagram.width, pixels.shape[1] + 2 * GAP)
    fig, axes = sheet(wide, high + pixels.shape[0] + GAP * bool(pixels.size))
    axes.add_patch(Rectangle(diagram.frame[:2], *diagram.frame[2:], facecolor=PAPER, edgecolor=QUIET))
    for arrow in diagram.arrows:
        line(axes, arrow)
    for box in diagram.boxes:
        draw(axes, box, details is not None and box.name == details.name)
    for i, text in enumerate(lines):
        write(
            fig, 30, diagram.height + 14 + 19 * i, text, TEXT if not i else SMALL, ha="left", weight="bold" if not i else "normal"
        )
    if pixels.size:
        fig.figimage(pixels, GAP, GAP, origin="upper")
    return picture(fig, described(diagram, details))


def told(details):
    """Return the lines below the map."""
    facts = "; ".join(f"{what}: {value}" for what, value in details.facts)
    source = f"computed by {details.function}: {details.code.splitlines()[details.line].strip()}"
    taught = f"lesson {details.lesson}, glossary: {details.term}"
    texts = [details.title, details.words, facts, source, taught]
    return [line for text in texts for line in textwrap.wrap(text, 118)]


def described(diagram, details):
    """Return the alt text: the boxes with their shapes, then the text below."""
    boxes = ", ".join(f"{box.label} ({box.shape})" if box.shape else box.label for box in diagram.boxes)
    inside = " ".join([f"Opened is {details.title}.", *told(details)[1:]]) if details else ""
    seen = f" {details.picture.alt}" if details and details.picture else ""
    return f"Map of a run, from the prompt to the picture: {boxes}. {inside}{seen}"


def draw(axes, box, marked):
    """Draw one box: its label, and below it the shape of its tensor."""
    axes.add_patch(
        FancyBboxPatch(
            (box.x, box.y),
            box.width,
            box.height,
            boxstyle=f"round,pad=0,rounding_size={ROUND[box.kind]}",
            facecolor=FILLED[box.kind],
            edgecolor=ORANGE if marked else QUIET,
            linewidth=3 if marked else 1.2,
        )
    )
    x, y = box.x + box.width / 2, box.y + box.height / 2
    style = {"ha": "center", "va": "center"}
    wide = box.width > 2 * box.height and box.height < 40  # a title: both in one line
    label = f"{box.label}   {box.shape}" if wide else box.label
    axes.text(
        x,
        y - (8 if box.shape and not wide else 0),
        label,
        fontsize=SMALL + 0.5,
        color=INK,
        weight="bold" if marked else "normal",
        **style,
    )
    if box.shape and not wide:
        axes.text(x, y + 9, box.shape, fontsize=8.5, color=QUIET, **style)


def line(axes, arrow):
    """Draw an arrow through its points; a skip is a thin line."""
    *way, end = arrow.points
    look = {"color": QUIET, "linewidth": 1} if arrow.skip else {"color": BLUE, "linewidth": 1.5}
    if len(way) > 1:
        axes.plot(*zip(*way), **look)
    axes.add_patch(
        FancyArrowPatch(way[-1], end, arrowstyle="-|>", mutation_scale=8 if arrow.skip else 11, shrinkA=0, shrinkB=0, **look)
    )
    if arrow.words:
        axes.text(*arrow.at, arrow.words, fontsize=8.5, color=QUIET, va="center")


def tensor(x: Array, name: str) -> Picture:
    """Show any tensor as a picture: a feature map (C, h, w), rows of numbers (N, width), or numbers (N,).

    name: of the tensor. Returns a Picture. Raises ValueError for other shapes.
    """
    x = array(x)
    if x.ndim == 3:
        return feature_maps(x, name, most=24)
    if x.ndim in (1, 2) and x.size:
        return grid(x.reshape(-1, x.shape[-1]), name)
    raise ValueError(f"{name} has the shape {x.shape}; it must have one, two or three dimensions, as one of a batch has.")


def grid(x: Array, name: str, labels: Sequence[str] = (), most: int = 24) -> Picture:
    """Show rows of numbers as coloured cells: purple below zero, orange above.

    x: (N, width). labels: for the first rows. most: only so many rows are drawn. Returns a Picture.
    """
    x = array(x)
    left = 110 if len(labels) else GAP
    wide, high = 640, 14
    drawn, limit = x[:most], max(float(np.quantile(np.abs(x), 0.99)), 1e-12)
    fig = canvas(left + wide + GAP, 48 + high * len(drawn) + GAP)
    scale = f"purple: below zero, orange: above; darkest at {limit:.2g}"
    write(fig, GAP, 14, f"{name}: {len(drawn)} of {len(x)} rows of {x.shape[1]} numbers", ha="left")
    write(fig, GAP, 33, scale, SMALL, ha="left", color=QUIET)
    place(fig, drawn, left, 48, wide, high * len(drawn), SIGNED, -limit, limit)
    for i, label in enumerate(labels[: len(drawn)]):
        word = textwrap.shorten(label, 14, placeholder="...")
        write(fig, left - 6, 48 + high * (i + 0.5), word, SMALL, ha="right")
    return picture(
        fig,
        f"{len(drawn)} of the {len(x)} rows of {name}, each of {x.shape[1]} numbers as "
        "coloured cells, purple below zero and orange above; values from "
        f"{x.min():.2g} to {x.max():.2g}.",
    )


def token_strip(pieces: Sequence[str], ids: Numbers, most: int = 24) -> Picture:
    """Show the tokens of a prompt, each with its id.

    pieces: the tokens as strings. ids: their token ids. most: only so many are drawn. Returns a Picture.
    """
    if len(pieces) != len(ids) or not len(pieces):
        raise ValueError(f"There are {len(pieces)} tokens and {len(ids)} ids; give one id for each token, and at least one token.")
    drawn = list(zip(pieces, ids))[:most]
    columns, wide, high = 8, 92, 54
    fig = canvas(columns * wide + GAP, -(-len(drawn) // columns) * high + GAP)
    for i, (piece, number) in enumerate(drawn):
        x, y = GAP + i % columns * wide, GAP + i // columns * high
        panel(fig, x, y, wide - GAP, high - GAP).add_patch(Rectangle((0, 0), 1, 1, facecolor=LIGHT))
        write(fig, x + (wide - GAP) / 2, y + 14, textwrap.shorten(piece, 11, placeholder="..."), SMALL)
        write(fig, x + (wide - GAP) / 2, y + 33, str(int(number)), SMALL, color=QUIET)
    words = ", ".join(f"{piece} {int(number)}" for piece, number in drawn)
    return picture(fig, f"{len(drawn)} of {len(ids)} tokens with their ids: {words}.")
