"""Guidance at one denoising step: both noise predictions, their difference, and the guided prediction."""

from collections.abc import Sequence

import numpy as np

from .artists import mark, paste
from .hints import Array, Arrays
from .moments import EDGE, fitted, mosaic
from .rendering import Picture, picture
from .schedule_plots import plot
from .static_layer import static_layer
from .style import AMOUNT, BLUE, GAP, INK, LIGHT, ORANGE, QUIET, SMALL, array, canvas, place, write

__all__ = ["guidance"]

BELOW = 150  # pixels: the height of the plot


def guidance(
    eps_u: Array,
    eps_c: Array,
    eps: Array,
    pictures: Arrays,
    result: Array,
    gaps: Sequence[float],
    timesteps: Sequence[int],
    i: int,
    g: float,
    interval: tuple[float, float] | None = None,
) -> Picture:
    """Show both predictions, their difference and the guided one: above the noise, below the predicted x_0.

    eps_u, eps_c, eps: (C, h, w), without the prompt, with it, guided. pictures: three (3, H, W), the predicted
    x_0 of each. result: (3, H, W), the final picture. gaps: the size of eps_c - eps_u at every step
    (root mean square), nan where only one was computed. timesteps: the timestep t of every step; i: the step shown.
    g: the guidance scale. interval: (low, high), the timesteps with guidance, or None. Returns a Picture.
    """
    used = interval is None or interval[0] <= timesteps[i] <= interval[1]
    change = array(eps_c) - array(eps_u)
    shift = np.abs(array(pictures[1]) - array(pictures[0])).mean(0)
    size, limit = float(np.sqrt((change**2).mean())), max(float(np.quantile(np.abs(change), 0.99)), 1e-6)
    scale = f"g = {g:g}" if used else f"g = {g:g}, not used at this step"
    titles = [
        "without the prompt",
        "with it",
        f"difference (darkest {limit:.2g})",
        f"guided: {scale}" if used else "no guidance here",
    ]
    noises = [(eps_u, 3.0), (eps_c, 3.0), (change, limit), (eps, 3.0)]
    amount = {"cmap": AMOUNT, "vmin": 0, "vmax": 0.5}
    guesses = [(pictures[0], {}), (pictures[1], {}), (shift, amount), (pictures[2], {})]
    wide, high = fitted(result, EDGE)
    width, second = 4 * (wide + GAP) + 30, 34 + high + GAP
    fig = canvas(max(width, 560), second + high + 52 + BELOW)
    for c, (title, (z, most), (pixels, colours)) in enumerate(zip(titles, noises, guesses)):
        x = 26 + c * (wide + GAP)
        write(fig, x + wide / 2, 20, title, SMALL)
        mosaic(fig, z, x, 34, wide, high, most)
        place(fig, pixels, x, second, wide, high, **colours)
    for y, words in ((34, "predicted noise"), (second, "predicted x_0")):
        write(fig, 13, y + high / 2, words, SMALL, rotation=90, color=QUIET)
    curve(fig, second + high + 34, max(width, 560) - BELOW - 90, gaps, timesteps, i, interval)
    end = fitted(result, BELOW - 14)
    x = max(width, 560) - end[0] - GAP
    write(fig, x + end[0] / 2, second + high + 18, "final picture", SMALL)
    place(fig, result, x, second + high + 30, *end)
    return picture(
        fig,
        f"Guidance at step {i + 1} of {len(timesteps)}, timestep t = {timesteps[i]}, {scale}: noise "
        f"predicted without the prompt, with it, and the difference, of size {size:.2f}; the "
        f"two predicted x_0 differ by {shift.mean():.2f} on average. "
        f"{moved(pictures)}{within(interval)}",
    )


def moved(pictures):
    """Say how much guidance changes the predicted x_0."""
    away = np.abs(array(pictures[2]) - array(pictures[1])).mean()
    return f"The guided x_0 differs from the one with the prompt by {away:.2f}."


def within(interval):
    return f" Guidance is used only from t = {interval[0]} to {interval[1]}." if interval else ""


def curve(fig, y, width, gaps, timesteps, i, interval):
    """Plot the size of the difference at every step; timesteps with guidance are shaded."""
    key = (width, *gaps, *timesteps, interval)
    base = static_layer(key, width + 90, BELOW + 34, lambda sheet: plotted(sheet, width, gaps, timesteps, interval))
    paste(fig, base.pixels, 0, y - 24)
    (x, top), (_, bottom) = (base.at(timesteps[i], end) for end in base.ends)
    mark(fig, [x, x], [y - 24 + top, y - 24 + bottom], color=ORANGE, linewidth=2.5)


def plotted(sheet, width, gaps, timesteps, interval):
    """Plot the curve alone, on a page of its own; returns its axes."""
    axes = plot(sheet, 56, 24, width, BELOW - 40)
    axes.plot(timesteps, gaps, "o-", color=BLUE, markersize=4, linewidth=1.5)
    if interval:
        axes.axvspan(*interval, color=LIGHT, zorder=0)
    axes.set(xlim=(max(timesteps) + 20, min(timesteps) - 20))
    axes.set_ylim(0, 1.15 * max([gap for gap in gaps if gap == gap], default=1) or 1)
    axes.set_xlabel("timestep t, from noise to picture", fontsize=SMALL, color=INK)
    axes.set_title("size of the difference" + ("; shaded: with guidance" if interval else ""), fontsize=SMALL, color=INK)
    return axes
