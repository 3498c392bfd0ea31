"""One picture at the same timestep of several noise schedules, and their curves with this timestep marked."""

from collections.abc import Mapping

import numpy as np

from .artists import DPI, mark, paste
from .hints import Array, Numbers
from .moments import fitted
from .rendering import Picture, picture
from .schedule_plots import FLOOR, LINES, plot, ratio
from .static_layer import static_layer
from .style import GAP, INK, QUIET, SMALL, array, canvas, place, write

__all__ = ["QUANTITIES", "noising"]

QUANTITIES = ("signal left, abar", "signal-to-noise ratio", "noise added, beta")
EDGE = 160  # pixels: the edge of a picture at most
LEAST = 640  # the least width of the whole
BELOW = 270  # the height of the curves with their axes


def noising(
    images: Mapping[str, Array], betas: Mapping[str, Numbers], t: int, quantity: str = QUANTITIES[0], what: str = "One picture"
) -> Picture:
    """Show the noisy pictures side by side; below, one curve for each schedule, with the timestep marked.

    images: {schedule: (3, H, W)}, noisy, at most five. betas: {schedule: (T,)} for the same schedules, in
    (0, 1]. t: the timestep. quantity: one of QUANTITIES, the y axis; abar's is linear, the others are logarithmic.
    what: the picture in words, for the alt text.
    Returns a Picture.
    """
    if list(images) != list(betas) or quantity not in QUANTITIES:
        raise ValueError(
            f"There are pictures for {', '.join(images)} and schedules {', '.join(betas)}, shown as "
            f"{quantity!r}; give one picture for each, and one of {', '.join(QUANTITIES)}."
        )
    curves = {name: values(array(b), quantity) for name, b in betas.items()}
    wide, high = fitted(next(iter(images.values())), EDGE)
    width = max(len(images) * (wide + GAP) + GAP, LEAST)
    fig = canvas(width, high + 60 + BELOW)
    write(fig, width / 2, 16, f"timestep t = {t}")
    for k, (name, image) in enumerate(images.items()):
        x = GAP + k * (wide + GAP)
        place(fig, image, x, 30, wide, high)
        write(fig, x + wide / 2, high + 42, f"{name}: {curves[name][t]:.3g}", SMALL)
    lines(fig, high + 60, width - 240, curves, t, quantity)
    told = "; ".join(
        f"{name}: {curve[t]:.3g}, factor of the picture {strength(betas[name], t):.0%}" for name, curve in curves.items()
    )
    return picture(
        fig,
        f"{what} at timestep t = {t} of {len(images)} noise schedules, and curves of the "
        f"{quantity} of each with this timestep marked. {told}.",
    )


def lines(fig, y, width, curves, t, quantity):
    """Draw the curves with their legend and the timestep. Only the timestep moves while a slider is dragged."""
    key = (quantity, width, *curves, *(curve.tobytes() for curve in curves.values()))
    base = static_layer(key, fig.get_figwidth() * DPI, BELOW, lambda sheet: plotted(sheet, width, curves, quantity))
    paste(fig, base.pixels, 0, y)
    (x, top), (_, bottom) = (base.at(t, end) for end in base.ends)
    mark(fig, [x, x], [y + top, y + bottom], color=QUIET, linewidth=1)
    for curve, (colour, _) in zip(curves.values(), LINES):
        x, across = base.at(t, curve[t])
        mark(fig, [x], [y + across], "o", color=colour, markeredgecolor=INK, markersize=7)


def plotted(sheet, width, curves, quantity):
    """Draw the curves alone, on a page of their own; returns their axes."""
    axes = plot(sheet, 64, 24, width, 190)
    for (name, curve), (colour, dashes) in zip(curves.items(), LINES):
        axes.plot(curve, color=colour, linestyle=dashes, linewidth=2, label=name)
    if quantity != QUANTITIES[0]:
        axes.set_yscale("log")
    axes.set_xlabel("timestep t", fontsize=SMALL, color=INK)
    axes.set_title(quantity, fontsize=SMALL, color=INK)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1.03, 1))
    return axes


def values(betas, quantity):
    """Return the curve of a schedule: (T,)."""
    abar = np.cumprod(1 - betas.astype(np.float64))
    return {QUANTITIES[0]: abar, QUANTITIES[1]: ratio(abar), QUANTITIES[2]: np.maximum(betas, FLOOR)}[quantity]


def strength(betas, t):
    """Return sqrt(abar_t), the factor of the picture at timestep t."""
    return float(np.cumprod(1 - array(betas).astype(np.float64))[t] ** 0.5)
