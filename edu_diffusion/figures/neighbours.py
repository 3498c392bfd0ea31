"""Is it memorised? A generated picture beside the nearest training pictures, and the difference from the first."""

from collections.abc import Sequence

import numpy as np

from .hints import Array, Arrays
from .rendering import Picture, picture
from .style import AMOUNT, GAP, SMALL, array, canvas, rgb, show, write

__all__ = ["nearest"]


def nearest(image: Array, references: Arrays, labels: Sequence[str], scale: int = 3) -> Picture:
    """Show a picture, the reference pictures nearest to it, and the difference from the first of them.

    image: (3, H, W) in [-1, 1], from the model. references: (N, 3, H, W), the nearest first. labels: N strings.
    The difference is the mean over the colours of |image - reference|; its scale ends at 1, half the range.
    Returns a Picture.
    """
    if len(references) != len(labels) or not len(labels):
        raise ValueError(f"There are {len(references)} reference pictures and {len(labels)} labels; give one for each.")
    edge, top = image.shape[-1] * scale, 30
    titles = ["the model's picture", "the difference", *labels]
    fig = canvas(len(titles) * (edge + GAP) + GAP, edge + top + GAP)
    gap = np.abs(array(image) - array(references[0])).mean(0)
    panels = [(rgb(image), {}), (gap, {"cmap": AMOUNT, "vmin": 0, "vmax": 1}), *((rgb(r), {}) for r in references)]
    for i, (title, (pixels, colours)) in enumerate(zip(titles, panels)):
        x = GAP + i * (edge + GAP)
        write(fig, x + edge / 2, top / 2, title, SMALL)
        show(fig, pixels, x, top, edge, **colours)
    return picture(
        fig,
        f"A picture by the model, the {len(labels)} nearest training pictures ({'; '.join(labels)}) "
        f"and the difference from the first: on average {gap.mean():.2f} on a scale from 0 to 2.",
    )
