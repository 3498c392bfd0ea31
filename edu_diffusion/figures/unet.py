"""Inside a U-Net: the time embedding of each step, and an ablation: the picture without one of its parts."""

from collections.abc import Sequence

import numpy as np

from .attention import place as where
from .hints import Array, Arrays
from .rendering import Picture, picture
from .style import AMOUNT, GAP, INK, QUIET, SIGNED, SMALL, array, canvas, place, rgb, show, write

__all__ = ["time_embedding", "without"]


def without(image: Array, other: Array, name: str, scale: int = 4) -> Picture:
    """Show a picture, the result of the same run without one part of the network, and the difference of the two.

    image, other: (3, H, W) in [-1, 1]. name: the part that was taken out. scale: the edge of a pixel.
    The difference is the mean over the colours of |image - other|; its scale ends at 1, half the range.
    Returns a Picture.
    """
    if tuple(np.shape(image)) != tuple(np.shape(other)):
        raise ValueError(
            f"The pictures have the shapes {tuple(np.shape(image))} and {tuple(np.shape(other))}; they must have the same."
        )
    gap = np.abs(array(image) - array(other)).mean(0)
    edge, top = image.shape[-1] * scale, 30
    fig = canvas(3 * (edge + GAP) + GAP, edge + top + 30)
    drawn = [
        (rgb(image), "the picture", {}),
        (rgb(other), f"without {name}", {}),
        (gap, "the difference", {"cmap": AMOUNT, "vmin": 0, "vmax": 1}),
    ]
    for i, (pixels, title, colours) in enumerate(drawn):
        x = GAP + i * (edge + GAP)
        write(fig, x + edge / 2, top / 2, title)
        show(fig, pixels, x, top, edge, **colours)
    scale = f"blue: no difference, yellow: 1 or more; on average {gap.mean():.2f}"
    write(fig, 3 * (edge + GAP), edge + top + 15, scale, SMALL, ha="right", color=QUIET)
    there = f", {where(gap)}" if gap.max() > 0 else ": nothing changed"
    return picture(
        fig,
        f"The picture, the result of the same run without {name}, and the difference of the two: "
        f"on average {gap.mean():.2f} on a scale from 0 to 2{there}.",
    )


def time_embedding(rows: Arrays, timesteps: Sequence[int], step: int) -> Picture:
    """Show the time embedding that every ResNet block receives: a row for each step, a column for each number.

    rows: N vectors (width,). timesteps: t of each. step: the row that is marked, from 0. Returns a Picture.
    """
    if len(rows) != len(timesteps) or step not in range(len(rows)):
        raise ValueError(
            f"There are {len(rows)} rows, {len(timesteps)} timesteps and the step {step}; "
            "give one timestep for each row, and the number of a row."
        )
    values = np.stack([array(row) for row in rows])
    left, wide, high = 130, 850, 22
    limit = max(float(np.quantile(np.abs(values), 0.99)), 1e-12)
    fig = canvas(left + wide + GAP, 52 + high * len(values) + GAP)
    size = f"{values.shape[1]} numbers at each of {len(values)} steps"
    note = f"purple: below zero, orange: above; darkest at {limit:.2g}"
    write(fig, GAP, 14, f"time embedding: {size}", ha="left")
    write(fig, GAP, 34, note, SMALL, ha="left", color=QUIET)
    place(fig, values, left, 52, wide, high * len(values), SIGNED, -limit, limit)
    for i, t in enumerate(timesteps):
        style = {"weight": "bold", "color": INK} if i == step else {"color": QUIET}
        write(fig, left - 10, 52 + high * (i + 0.5), f"step {i + 1}, t = {t}", SMALL, ha="right", **style)
    far = [float(np.linalg.norm(values[step] - row)) for row in values]
    return picture(
        fig,
        f"The time embedding, {size} as coloured cells, purple below zero and orange above; "
        f"marked is step {step + 1}, t = {timesteps[step]}. Farthest from it is step "
        f"{int(np.argmax(far)) + 1}, at a distance of {max(far):.2g}.",
    )
