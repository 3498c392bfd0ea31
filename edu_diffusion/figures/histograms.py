"""Histograms beside the density of the standard normal distribution."""

from collections.abc import Mapping

import numpy as np

from .hints import Numbers
from .rendering import Picture, picture
from .schedule_plots import plot
from .style import BLUE, INK, ORANGE, SMALL, array, canvas

__all__ = ["histogram"]


def histogram(samples: Mapping[str, Numbers], limit: float = 4.0, bins: int = 64) -> Picture:
    """Show a histogram of each sample, with the normal density drawn over it.

    samples: {label: numbers of any shape}. Returns a Picture.
    """
    wide, fig = 300, canvas(300 * len(samples), 240)
    x = np.linspace(-limit, limit, 200)
    for i, (label, values) in enumerate(samples.items()):
        axes = plot(fig, i * wide + 40, 36, wide - 56, 160)
        axes.hist(array(values).ravel(), bins=bins, range=(-limit, limit), density=True, color=BLUE)
        axes.plot(x, np.exp(-x * x / 2) / np.sqrt(2 * np.pi), color=ORANGE, linewidth=2.5)
        axes.plot(x, np.exp(-x * x / 2) / np.sqrt(2 * np.pi), color=INK, linewidth=1)
        axes.set(xlim=(-limit, limit), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.set_title(label, fontsize=SMALL, color=INK)
    told = "; ".join(
        f"{label}: mean {array(v).mean():.2f}, standard deviation {array(v).std():.2f}, from "
        f"{array(v).min():.1f} to {array(v).max():.1f}"
        for label, v in samples.items()
    )
    return picture(fig, f"{len(samples)} histograms with the bell curve drawn over each. {told}.")
