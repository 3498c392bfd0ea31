"""CLIP similarities: captions with pictures, nearest neighbours, a caption token by token, a swapped word.

Every number is a cosine similarity, from -1 to 1: 1 is the same direction, 0 is unrelated.
"""

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.patches import Rectangle

from .hints import Array, Arrays, Numbers
from .rendering import Picture, picture
from .schedule_plots import plot
from .style import AMOUNT, BLUE, GAP, INK, LIGHT, ORANGE, QUIET, SMALL, array, canvas, panel, rgb, write

__all__ = ["caption_growth", "caption_neighbours", "similarity_map", "swapped_word"]

CELL = 48  # pixels: the edge of a small picture, with its gap
LINE = 24
WIDE = 960  # pixels: fits a page 1024 pixels wide
FAINT = "#c9d3dc"


def similarity_map(cosines: Array, captions: Sequence[str], images: Arrays, most: int = 10) -> Picture:
    """Show the similarity of every caption with every picture: the brighter, the more similar.

    cosines: (N, N), a row for each caption, a column for each picture. captions: N strings. images: N
    pictures (3, H, W) in [-1, 1], picture i that of caption i. most: only so many are drawn, the first ones.
    A frame marks each caption's most similar picture among those drawn. Returns a Picture.
    """
    cosines = array(cosines)
    if cosines.shape != (len(captions), len(images)) or len(captions) != len(images) or not len(images):
        raise ValueError(
            f"There are {len(captions)} captions, {len(images)} pictures and cosines "
            f"{cosines.shape}; give one picture for each caption, and a cosine for each pair."
        )
    shown = cosines[:most, :most]
    count = len(shown)
    low, high = float(shown.min()), float(shown.max())
    left, top = 350, CELL + 2 * GAP
    fig, page = paper(max(left + count * CELL + GAP, 520), top + count * CELL + 30)
    scaled, end = (shown - low) / ((high - low) or 1), count * CELL
    page.imshow(
        scaled, cmap=AMOUNT, vmin=0, vmax=1, interpolation="nearest", aspect="auto", extent=(left, left + end, top + end, top)
    )
    for i, best in enumerate(shown.argmax(1)):
        thumb(page, images[i], left + i * CELL + 2, GAP)
        fitted(fig, captions[i], left - 10, top + (i + 0.5) * CELL, left - 20, ha="right")
        for j, value in enumerate(shown[i]):
            write(fig, left + (j + 0.5) * CELL, top + (i + 0.5) * CELL, f"{value:.2f}", SMALL, color=contrast(scaled[i, j]))
        page.add_patch(
            Rectangle(
                (left + best * CELL + 3, top + i * CELL + 10),
                CELL - 6,
                CELL - 20,
                fill=False,
                edgecolor=contrast(scaled[i, best]),
                linewidth=2,
            )
        )
    note = f"cosines from {low:.2f} (dark blue) to {high:.2f} (yellow); framed: the row's largest"
    write(fig, GAP, top + end + 16, note, SMALL, ha="left", color=QUIET)
    own = int((shown.argmax(1) == np.arange(count)).sum())
    return picture(
        fig,
        f"Similarity map of the {count} captions and pictures{of(count, len(captions))}: "
        f"cosines from {low:.2f} to {high:.2f}. {own} of {count} captions are most similar "
        "to their own picture.",
    )


def caption_neighbours(
    caption: str, images: Arrays, image_cosines: Numbers, captions: Sequence[str], caption_cosines: Numbers
) -> Picture:
    """Show a caption, the pictures nearest to it, and the captions nearest to it, most similar first.

    images: N pictures (3, H, W) in [-1, 1], at most 7 are drawn; captions: M strings. image_cosines,
    caption_cosines: N and M numbers in descending order. Returns a Picture.
    """
    if len(images) != len(image_cosines) or len(captions) != len(caption_cosines) or not len(images):
        raise ValueError(
            f"There are {len(images)} pictures with {len(image_cosines)} cosines, and "
            f"{len(captions)} captions with {len(caption_cosines)}; give one cosine for each, "
            "and at least a picture."
        )
    edge, wide = 128, WIDE
    drawn = images[:7]
    fig, page = paper(wide, 108 + edge + LINE * len(captions))
    fitted(fig, f'"{caption}"', GAP, 16, wide - 20)
    write(fig, GAP, 40, "the nearest pictures, and their cosines", SMALL, ha="left", color=QUIET)
    for i, (image, value) in enumerate(zip(drawn, image_cosines)):
        thumb(page, image, GAP + i * (edge + GAP), 54, edge)
        write(fig, GAP + i * (edge + GAP) + edge / 2, 66 + edge, f"{value:.2f}", SMALL)
    top = 88 + edge
    write(fig, GAP, top, "the nearest captions", SMALL, ha="left", color=QUIET)
    for i, (words, value) in enumerate(zip(captions, caption_cosines)):
        y = top + LINE * (i + 1)
        length(page, 60, y, 200, value, BLUE)
        write(fig, GAP, y, f"{value:.2f}", SMALL, ha="left")
        fitted(fig, words, 270, y, wide - 280)
    told = ", ".join(f"{value:.2f}" for value in image_cosines[: len(drawn)])
    near = "; ".join(f'"{words}" {value:.2f}' for words, value in zip(captions, caption_cosines))
    return picture(
        fig, f'The {len(drawn)} pictures nearest to "{caption}", with cosines {told}. The nearest captions: {near or "none"}.'
    )


def caption_growth(pieces: Sequence[str], cosines: Array, images: Arrays, chosen: int) -> Picture:
    """Show how similar a caption is to pictures after each of its tokens.

    pieces: N strings, the tokens. cosines: (N, M), after the first n tokens, with each picture. images: M
    pictures (3, H, W) in [-1, 1]. chosen: the picture whose line is highlighted. Returns a Picture.
    """
    cosines = array(cosines)
    if cosines.shape != (len(pieces), len(images)) or not len(pieces) or chosen not in range(len(images)):
        raise ValueError(
            f"There are {len(pieces)} tokens, {len(images)} pictures, cosines {cosines.shape} "
            f"and the chosen picture {chosen}; give a cosine for each pair, and choose one of "
            "the pictures."
        )
    edge, (fig, page) = 128, paper(WIDE, 370)
    x = WIDE - edge - GAP
    thumb(page, images[chosen], x, 40, edge)
    write(fig, x, 40 + edge + 18, "blue: this picture", SMALL, ha="left", color=BLUE)
    if len(images) > 1:
        write(fig, x, 40 + edge + 38, f"grey: {len(images) - 1} others", SMALL, ha="left", color=QUIET)
    lines(plot(fig, 70, 20, 720, 250), pieces, cosines, chosen)
    return picture(
        fig,
        f"Similarity of a growing caption to a picture, after each of {len(pieces)} tokens "
        f"({' '.join(pieces)}), and in grey to {len(images) - 1} others: "
        f"{grown(pieces, cosines, chosen)}.",
    )


def lines(axes, pieces, cosines, chosen):
    """Draw a line for each picture, with the tokens as tick labels."""
    axes.plot(np.delete(cosines, chosen, axis=1), color=FAINT, linewidth=1)
    axes.plot(cosines[:, chosen], "o-", color=BLUE, linewidth=2.5)
    names = [textwrap.shorten(piece, 16, placeholder="...") or "?" for piece in pieces]
    turned, size = (45, SMALL) if len(names) <= 30 else (90, 6)
    axes.set_xticks(range(len(names)), names, rotation=turned, ha="right", fontsize=size, parse_math=False)
    axes.set_ylabel("cosine with the picture", fontsize=SMALL)


def grown(pieces, cosines, chosen):
    """Say which token raised the chosen picture's similarity most, and where it ends."""
    own = cosines[:, chosen]
    end = f"it ends at {own[-1]:.2f}, rank {rank(cosines[-1], chosen)} of {cosines.shape[1]}"
    if len(own) == 1:
        return end
    up = int(np.diff(own).argmax()) + 1
    return f'it starts at {own[0]:.2f}; the largest rise, {own[up] - own[up - 1]:+.2f}, is at "{pieces[up]}"; {end}'


def swapped_word(caption: str, other: str, images: Arrays, before: Numbers, after: Numbers, most: int = 8) -> Picture:
    """Show two captions that differ by a word, and their similarity to pictures, the largest change first.

    images: N pictures (3, H, W) in [-1, 1]. before, after: N cosines, of caption and of other. most: only so many
    are drawn. Returns a Picture.
    """
    before, after = array(before), array(after)
    if not before.shape == after.shape == (len(images),) or not len(images):
        raise ValueError(
            f"There are {len(images)} pictures, and cosines {before.shape} and {after.shape}; give two for each picture."
        )
    gain = after - before
    order = np.argsort(-np.abs(gain), kind="stable")[:most]
    fig, page = paper(WIDE, 64 + len(order) * (CELL + GAP) + GAP)
    for y, words, colour in ((14, caption, BLUE), (36, other, ORANGE)):
        page.add_patch(Rectangle((GAP, y - 7), 22, 14, color=colour, linewidth=0))
        fitted(fig, words, 40, y, WIDE - 60)
    for row, i in enumerate(order):
        y = 60 + row * (CELL + GAP)
        thumb(page, images[i], GAP, y)
        write(fig, 62, y + 24, str(i + 1), SMALL, ha="left", color=QUIET)
        for dy, value, colour in ((13, before[i], BLUE), (33, after[i], ORANGE)):
            length(page, 130, y + dy, 560, value, colour)
            write(fig, 124, y + dy, f"{value:.2f}", SMALL, ha="right")
        write(fig, 720, y + 23, f"{gain[i]:+.2f}", ha="left")
    changes = [
        f"picture {i + 1} changes from {before[i]:.2f} to {after[i]:.2f}"
        for i in dict.fromkeys([int(gain.argmax()), int(gain.argmin())])
    ]
    return picture(
        fig,
        f'"{caption}" becomes "{other}": bars of the similarity to the {len(order)} pictures '
        f"that change the most{of(len(order), len(images))}; {', '.join(changes)}.",
    )


def paper(width, height):
    """Return a Figure and axes over all of it in pixel coordinates: only one, since axes are slow to draw."""
    fig = canvas(width, height)
    page = panel(fig, 0, 0, width, height)
    page.set(xlim=(0, width), ylim=(height, 0))
    return fig, page


def thumb(page, image, x, y, edge=CELL - 4):
    """Draw a thumbnail, its longer side `edge` pixels; an enlarged picture keeps its sharp pixels."""
    pixels = rgb(image)
    sharp = "nearest" if edge >= max(pixels.shape[:2]) else "antialiased"
    high, wide = (round(edge * n / max(pixels.shape[:2])) for n in pixels.shape[:2])
    page.imshow(pixels, interpolation=sharp, aspect="auto", extent=(x, x + wide, y + high, y))


def length(page, x, y, width, value, colour):
    """Draw a bar from 0, in the middle, to the value, on a light background from -1 to 1."""
    middle = x + width / 2
    page.add_patch(Rectangle((x, y - 7), width, 14, color=LIGHT, linewidth=0))
    page.add_patch(Rectangle((middle, y - 7), float(value) * width / 2, 14, color=colour, linewidth=0))
    page.add_patch(Rectangle((middle - 1, y - 7), 1, 14, color=INK, linewidth=0))


def fitted(fig, words, x, y, width, ha="left"):
    """Write text shortened to about `width` pixels. (A $ in a caption stays a $ and starts no formula.)"""
    short = textwrap.shorten(words, max(int(width / 6.6), 8), placeholder="...")
    write(fig, x, y, short, SMALL, ha=ha)


def contrast(amount):
    """Return a text colour: dark on a bright cell, white on a dark one."""
    r, g, b, _ = colormaps[AMOUNT](float(amount))
    return INK if 0.299 * r + 0.587 * g + 0.114 * b > 0.49 else "white"


def rank(cosines, chosen):
    """Return the rank of the chosen picture, from 1."""
    return 1 + int((cosines > cosines[chosen]).sum())


def of(shown, there):
    """Return " (of 64)" where not all are shown."""
    return f" (of {there})" if shown < there else ""
