"""Noise schedules: how much signal is left at each timestep, and what a noisy picture looks like there."""

from collections.abc import Mapping

import numpy as np

from .hints import Array, Numbers
from .rendering import Picture, picture
from .style import BLUE, GAP, GREEN, INK, LIGHT, ORANGE, PINK, QUIET, SMALL, array, canvas, panel, rgb, show, write

__all__ = ["noise_level", "schedules"]

LINES = [(BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PINK, ":"), (INK, (0, (5, 1, 1, 1, 1, 1)))]
FLOOR = 1e-5  # a lower signal-to-noise ratio is drawn at this value
LITTLE = 0.01  # below this ratio hardly anything of the signal is left


def schedules(abars: Mapping[str, Numbers], mark: int | None = None) -> Picture:
    """Plot the signal left, abar, and the signal-to-noise ratio (logarithmic) against the timestep t.

    abars: {name: (T,)}, decreasing, in [0, 1]. mark: a timestep to be marked, or None. Returns a Picture.
    """
    fig = canvas(860, 280)
    left, right = plot(fig, 50, 36, 350, 190), plot(fig, 470, 36, 350, 190)
    for (name, values), (colour, dashes) in zip(abars.items(), LINES):
        abar = array(values)
        left.plot(abar, color=colour, linestyle=dashes, label=name, linewidth=2)
        right.semilogy(ratio(abar), color=colour, linestyle=dashes, linewidth=2)
    right.axhline(1, color=QUIET, linewidth=1)
    right.text(0.98, 1.6, "as much signal as noise", transform=right.get_yaxis_transform(), fontsize=SMALL, color=QUIET, ha="right")
    right.set(ylim=(FLOOR / 2, 2e4))
    left.legend(fontsize=SMALL, frameon=False)
    for axes, words in ((left, "signal left, abar"), (right, "signal-to-noise ratio")):
        axes.set_xlabel("timestep t", fontsize=SMALL)
        axes.set_title(words, fontsize=SMALL, color=INK)
        if mark is not None:
            axes.axvline(mark, color=INK, linewidth=1)
    told = "; ".join(f"{name}: {read(array(a))}" for name, a in abars.items())
    return picture(
        fig,
        f"Two plots for {len(abars)} noise schedules, the signal left and the "
        f"signal-to-noise ratio against the timestep t; all curves fall. {told}.",
    )


def noise_level(image: Array, abars: Mapping[str, Numbers], name: str, t: int, scale: int = 3) -> Picture:
    """Show a noisy picture beside the curve of its schedule, with its timestep marked.

    image: (3, H, W), noisy. abars: {name: (T,)}; name: the schedule that is used; t: the timestep. Returns a
    Picture.
    """
    edge, abar = image.shape[-1] * scale, array(abars[name])
    fig = canvas(edge + 520, edge + 2 * GAP)
    show(fig, rgb(image), GAP, GAP, edge)
    axes = plot(fig, edge + 80, 50, 400, edge - 92)
    for other in abars.values():
        axes.plot(array(other), color=LIGHT, linewidth=2)
    axes.plot(abar, color=BLUE, linewidth=2)
    axes.plot([t], [abar[t]], "o", color=ORANGE, markersize=10)
    axes.set_xlabel("timestep t", fontsize=SMALL)
    axes.set_title(f"signal left, {name}", fontsize=SMALL, color=INK)
    told = f"t = {t}: signal {abar[t]:.3f}, signal-to-noise ratio {ratio(abar)[t]:.3g}"
    write(fig, edge + 280, 16, told)
    return picture(fig, f"A noisy picture, and beside it the {name} schedule with its timestep marked; {told}.")


def plot(fig, x, y, width, height):
    """Return axes with scales but without a frame at the top and the right."""
    axes = panel(fig, x, y, width, height)
    axes.set_axis_on()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=QUIET)
    return axes


def ratio(abar):
    """Return the signal-to-noise ratio, not below FLOOR."""
    return np.maximum(abar / np.maximum(1 - abar, 1e-9), FLOOR)


def read(abar):
    """Return what can be read from the curves of a schedule, in words."""
    below = ratio(abar) < LITTLE
    faint = f"ratio below {LITTLE} from t = {below.argmax()} on" if below.any() else f"ratio never below {LITTLE}"
    return f"equal at t = {balance(abar)}, {faint}, at the end {abar[-1]:.4f} left"


def balance(abar):
    """Return the first timestep at which the noise is at least as strong as the signal."""
    return int((abar <= 0.5).argmax())
