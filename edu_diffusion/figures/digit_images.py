"""Many small grey pictures: handwritten digits on one sheet."""

from collections.abc import Sequence

import numpy as np

from .hints import Arrays, Numbers
from .rendering import Picture, picture
from .style import GAP, SMALL, array, canvas, panel, write

__all__ = ["digits"]


def digits(
    images: Arrays, labels: Sequence[str] | Numbers | None = None, alt: str | None = None, columns: int = 10, scale: int = 8
) -> Picture:
    """Show grey pictures in rows, white on black, each pixel a square, with their labels below, if there are any.

    images: (B, 1, H, W) in [-1, 1]. labels: B short strings or numbers, or None. scale: the edge of a pixel. Returns
    a Picture.
    """
    if labels is not None and len(images) != len(labels):
        raise ValueError(f"There are {len(images)} pictures and {len(labels)} labels; give one for each.")
    edge, gap = images[0].shape[-1] * scale, GAP // 2
    high = edge + gap + (0 if labels is None else 20)
    rows, columns = -(-len(images) // columns), min(columns, len(images))
    fig = canvas(columns * (edge + gap) + gap, rows * high + gap)
    for i, image in enumerate(images):
        x, y = gap + i % columns * (edge + gap), gap + i // columns * high
        ink(panel(fig, x, y, edge, edge), image)
        if labels is not None:
            write(fig, x + edge / 2, y + edge + 11, str(labels[i]), SMALL)
    words = "" if labels is None else ": " + ", ".join(str(label) for label in labels)
    return picture(fig, alt or f"{len(images)} small pictures of handwritten digits, white on black{words}")


def ink(axes, image):
    """Draw one grey picture (1, H, W) in axes."""
    axes.imshow(array(image)[0], cmap="gray", vmin=-1, vmax=1, interpolation="nearest", aspect="auto")


def mosaic(images, columns):
    """Return pictures (B, 1, H, W) as one array, with thin white lines between them; empty cells are white, too."""
    edge, rows = images[0].shape[-1], -(-len(images) // columns)
    whole = np.ones((rows * (edge + 1) - 1, columns * (edge + 1) - 1), np.float32)
    for i, image in enumerate(images):
        y, x = i // columns * (edge + 1), i % columns * (edge + 1)
        whole[y : y + edge, x : x + edge] = array(image)[0]
    return whole
