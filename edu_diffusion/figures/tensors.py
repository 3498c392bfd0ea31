"""Tensors as pictures: the channels of a latent, heat maps, and a text embedding."""

from collections.abc import Sequence

import numpy as np

from .hints import Array, Arrays
from .rendering import Picture, picture
from .style import AMOUNT, GAP, QUIET, SIGNED, SMALL, TEXT, array, canvas, place, show, write

__all__ = ["channels", "maps", "tokens"]


def channels(tensors: Arrays, labels: Sequence[str], limit: float = 3.0, scale: int = 6) -> Picture:
    """Show the channels of each latent in one row: purple below zero, orange above, white at zero.

    tensors: latents (4, h, w). labels: a string for each. limit: the value of the darkest colour. Returns a Picture.
    """
    edge, left = tensors[0].shape[-1] * scale, 190
    count = len(tensors[0])
    fig = canvas(left + count * (edge + GAP), 24 + len(tensors) * (edge + GAP))
    for c in range(count):
        write(fig, left + c * (edge + GAP) + edge / 2, 12, f"channel {c}", SMALL, color=QUIET)
    for r, (tensor, label) in enumerate(zip(tensors, labels, strict=True)):
        y = 24 + r * (edge + GAP)
        write(fig, left - 12, y + edge / 2, label, SMALL, ha="right")
        for c, channel in enumerate(array(tensor)):
            show(fig, channel, left + c * (edge + GAP), y, edge, cmap=SIGNED, vmin=-limit, vmax=limit)
    return picture(
        fig,
        f"The {count} channels of each of {len(tensors)} latents, {'; '.join(labels)}, as small "
        "coloured maps, purple below zero and orange above.",
    )


def maps(amounts: Arrays, labels: Sequence[str], shared: bool = True, scale: int = 10, alt: str | None = None) -> Picture:
    """Show heat maps from 0 (dark blue) to the largest value (yellow): where something changed, and how much.

    amounts: N arrays (h, w), not negative. labels: N strings. shared: whether all are on one scale; if not, the
    colours show where, and only the labels how much. alt: what is to be noticed; None names the labels and the largest
    values. Returns a Picture.
    """
    amounts = [array(a) for a in amounts]
    tops = [max(float(np.max(a)), 1e-12) for a in amounts]
    edge, wide = amounts[0].shape[-1] * scale, amounts[0].shape[-1] * scale + 4 * GAP
    fig = canvas(len(amounts) * wide, edge + 46)
    for i, (amount, label) in enumerate(zip(amounts, labels, strict=True)):
        write(fig, i * wide + wide / 2, 20, label)
        top = max(tops) if shared else tops[i]
        show(fig, amount, i * wide + 2 * GAP, 40, edge, cmap=AMOUNT, vmin=0, vmax=top)
    words = "; ".join(f"{label} (largest {top:.2f})" for label, top in zip(labels, tops))
    scales = "all on one scale" if shared else "each on its own scale"
    return picture(fig, alt or f"{len(amounts)} heat maps, {scales}: {words}.")


def tokens(c: Array, words: Sequence[str], limit: float = 3.0) -> Picture:
    """Show a text embedding as a picture: one row for each token, one column for each of its numbers.

    c: (tokens, width). words: a string for each token to be labelled. Returns a Picture.
    """
    c, high = array(c)[: len(words)], 20
    fig = canvas(160 + 5 * c.shape[1], 30 + high * len(words))
    place(fig, c, 160, 24, 5 * c.shape[1], high * len(words), SIGNED, -limit, limit)
    write(fig, 160 + 2.5 * c.shape[1], 12, f"{c.shape[1]} numbers for each token", SMALL, color=QUIET)
    for i, word in enumerate(words):
        write(fig, 150, 24 + high * (i + 0.5), word, TEXT, ha="right", family="monospace")
    return picture(
        fig,
        f"The text embedding as {len(words)} rows of {c.shape[1]} coloured numbers, a row for each of "
        f"the tokens {' '.join(words)}; largest value {np.abs(c).max():.1f}.",
    )
