"""ControlNet: the condition beside the pictures without and with it, and how the training converges."""

import textwrap
from collections.abc import Sequence

from .hints import Array
from .rendering import Picture, picture
from .schedule_plots import plot
from .style import BLUE, GAP, INK, ORANGE, QUIET, SMALL, array, canvas, rgb, show, write

__all__ = ["controlled", "convergence"]


def controlled(condition: Array, without: Array, image: Array, words: str, scale: int = 4) -> Picture:
    """Show a condition map and the pictures for the same prompt and seed without it and with it.

    condition: (3, H, W) in [0, 1]. without, image: (3, H, W) in [-1, 1]. words: the prompt and settings. scale: the
    edge of a pixel. Returns a Picture.
    """
    panels = [("condition", array(condition) * 2 - 1), ("without it", without), ("with it", image)]
    edge = image.shape[-1] * scale
    lines = textwrap.wrap(words, 3 * edge // 8)[:3]
    fig = canvas(3 * (edge + GAP) + GAP, 28 + edge + GAP + 18 * len(lines))
    for i, (title, pixels) in enumerate(panels):
        x = GAP + i * (edge + GAP)
        write(fig, x + edge / 2, 14, title, color=QUIET)
        show(fig, rgb(pixels), x, 28, edge)
    for i, line in enumerate(lines):
        write(fig, GAP, 28 + edge + 14 + 18 * i, line, SMALL, ha="left")
    share, gap = (array(condition).max(0) > 0.5).mean(), abs(array(image) - array(without)).mean()
    return picture(
        fig,
        f"{words} Three pictures: the condition, {100 * share:.0f} % of it bright; the picture generated "
        f"without it; and the one with it, which differs by {gap:.2f} on average, on a scale from 0 to 2.",
    )


def convergence(
    curve: Sequence[Sequence[float]], named: str = "edge F1", most: float | None = None, left: float | None = None
) -> Picture:
    """Plot a training run's loss and a metric at the same steps: when does the model start to follow the condition?

    curve: rows [step, seconds, loss, metric]. named: the metric. most: its upper bound, or None. left: seconds of
    training left, or None. Returns a Picture.
    """
    if not curve:
        raise ValueError("The curve is empty: train for a few steps first.")
    steps, _, losses, found = zip(*curve)
    fig = canvas(720, 300)
    axes = plot(fig, 64, 44, 560, 200)
    axes.plot(steps, losses, color=BLUE, linewidth=2)
    axes.set(xlim=(0, max(steps[-1], 2)), ylim=(0, 1.15 * max(losses)))
    axes.set_xlabel("step", fontsize=SMALL)
    axes.set_ylabel("loss", fontsize=SMALL, color=BLUE)
    other = axes.twinx()
    other.plot(steps, found, "o-", color=ORANGE, markeredgecolor=INK, linewidth=1.5)
    other.spines[["top"]].set_visible(False)
    other.tick_params(labelsize=SMALL, colors=QUIET)
    other.set_ylabel(named, fontsize=SMALL, color=INK)
    other.set_ylim(min(0, *found), 1.1 * max(most or 0, *found, 1e-3))
    if most is not None:
        other.axhline(most, color=INK, linestyle="--", linewidth=1)
        other.text(0.02, most, "upper bound", transform=other.get_yaxis_transform(), fontsize=SMALL, va="bottom")
    rest = f", {left:.0f} s to go" if left else ""
    told = f"{named} {found[0]:.2f} at step {steps[0]}, {found[-1]:.2f} at step {steps[-1]}"
    write(fig, 64, 18, f"{told}; loss {losses[-1]:.3f}{rest}", SMALL, ha="left")
    rise, at = largest_rise(steps, found)
    ceiling = f" Its upper bound is {most:.2f}." if most is not None else ""
    return picture(
        fig,
        f"Loss and {named} of a training run, step by step: {told}. Largest change between two "
        f"measurements: {rise:+.2f}, up to step {at}.{ceiling}",
    )


def largest_rise(steps, found):
    """Return the largest change from one measurement to the next, and the step of the second one."""
    rises = [(b - a, step) for a, b, step in zip(found, found[1:], steps[1:])]
    return max(rises, key=lambda rise: abs(rise[0]), default=(0.0, steps[0]))
