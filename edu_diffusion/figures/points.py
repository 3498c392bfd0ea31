"""Clouds of points in the plane, side by side: the forward and reverse process in two dimensions."""

from collections.abc import Sequence

import numpy as np

from .hints import Arrays, Numbers
from .rendering import Picture, picture
from .style import BLUE, GAP, GREEN, INK, LIGHT, ORANGE, PINK, SMALL, array, canvas, panel, write

__all__ = ["clouds"]

GROUPS = (BLUE, ORANGE, GREEN, PINK, INK)


def clouds(points: Arrays, labels: Sequence[str], groups: Numbers | None = None, limit: float = 3.0, edge: int = 182) -> Picture:
    """Show clouds of points, each in a square from -limit to limit, with its label below.

    points: N arrays (n, 2): x to the right, y up. labels: N strings. groups: (n,), integers from 0 that
    give the colour of each point in all clouds, or None. Returns a Picture.
    """
    if len(points) != len(labels):
        raise ValueError(f"There are {len(points)} clouds and {len(labels)} labels; give one for each.")
    clouds = [array(p) for p in points]
    colours = BLUE if groups is None else [GROUPS[int(g) % len(GROUPS)] for g in groups]
    fig = canvas(len(clouds) * (edge + GAP) + GAP, edge + 2 * GAP + 24)
    for i, (cloud, label) in enumerate(zip(clouds, labels)):
        axes = panel(fig, GAP + i * (edge + GAP), GAP, edge, edge)
        axes.set_axis_on()
        axes.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[])
        for side in axes.spines.values():
            side.set_color(LIGHT)
        axes.scatter(cloud[:, 0], cloud[:, 1], s=4, c=colours, alpha=0.7, linewidths=0)
        write(fig, GAP + i * (edge + GAP) + edge / 2, edge + GAP + 14, label, SMALL)
    wide = "; ".join(f"{label}: {spread(cloud):.2f} wide" for label, cloud in zip(labels, clouds))
    return picture(fig, f"{len(clouds)} clouds of {len(clouds[0])} points ({wide}, as standard deviation).")


def spread(cloud):
    """Return the standard deviation of the points around their centre, averaged over the two directions."""
    return float(np.sqrt(cloud.var(0).mean()))
