"""A training run in progress: the loss, the time, and samples of the current model."""

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from ..errors import said
from .digit_images import ink, mosaic
from .hints import Arrays
from .rendering import Picture, picture
from .schedule_plots import plot
from .style import BLUE, GAP, INK, LIGHT, ORANGE, QUIET, SMALL, canvas, panel, write

__all__ = ["training"]

HIGH = 320  # pixels of the curve with its scale and the bar above
LEFT = 76  # pixels left of the curve, for its scale and label


def training(
    history: Sequence[Any],
    baseline: tuple[float, str] | None = None,
    marks: Sequence[tuple[float, float]] = (),
    named: str = "",
    images: Arrays | None = None,
    columns: int = 5,
    scale: int | None = None,
) -> Picture:
    """Show a time bar, the loss curve, and, if given, a second metric on its own axis and samples.

    history: a list of Progress(step, loss, seconds, left, ...), the last one is the current one. baseline: (value,
    words), a loss to compare with. marks: pairs (seconds, value) of another metric, called `named`. images:
    (B, 1, H, W) in [-1, 1], samples of the current model, small on the right; with scale, the edge of a pixel, below the
    curve. Returns a Picture.
    """
    now, wide = history[-1], 580
    whole = now.seconds + now.left
    done = now.seconds / whole if 0 < whole < float("inf") else 1.0
    drawn = None if images is None else mosaic(images, columns)
    x, y, edge, (width, height) = placed(drawn, scale, wide)
    fig = canvas(width, height)
    bar(fig, LEFT, 22, wide - LEFT - 70, done)
    words = said("step {}, {:.0f} s, loss {:.3f}", now.step, now.seconds, now.loss)
    write(fig, LEFT, 46, words, SMALL, ha="left", color=QUIET)
    axes = plot(fig, LEFT, 70, wide - LEFT - 70, 200)
    curves(axes, history, baseline, whole)
    if marks:
        second(axes, marks, named)
    if drawn is not None:
        ink(panel(fig, x, y, edge * drawn.shape[1], edge * drawn.shape[0]), drawn[None])
    return picture(fig, described(history, done, baseline, marks, named, images, scale))


def placed(drawn, scale, wide):
    """Return where the samples stand, (x, y), the edge of their pixels, and the size of the whole canvas."""
    if drawn is None:
        return 0, 0, 0, (wide, HIGH)
    rows, columns = drawn.shape
    if scale is None:
        return wide + GAP, 22, 270 // max(rows, columns), (wide + 290, HIGH)
    return GAP, HIGH, scale, (max(wide, scale * columns + 2 * GAP), HIGH + scale * rows + GAP)


def bar(fig, x, y, width, done):
    """Draw a bar for how much of the time has passed."""
    axes = panel(fig, x, y - 8, width, 14)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.barh([0.5, 0.5], [1, done], height=1, color=[LIGHT, BLUE])
    write(fig, x + width + 8, y, f"{done:.0%}", SMALL, ha="left")


def curves(axes, history, baseline, whole):
    """Plot the loss against the seconds, and the baseline."""
    axes.plot([p.seconds for p in history], [p.loss for p in history], color=BLUE, linewidth=2)
    top = max(p.loss for p in history)
    if baseline:
        value, words = baseline
        top = max(top, value)
        axes.axhline(value, color=INK, linestyle="--", linewidth=1)
        axes.text(0.02, value, words, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="bottom")
    end = whole if whole < float("inf") else history[-1].seconds
    axes.set(xlim=(0, max(end, 1e-3)), ylim=(0, 1.15 * top))
    axes.set_xlabel(said("seconds"), fontsize=SMALL)
    axes.set_ylabel(said("loss"), fontsize=SMALL, color=BLUE)


def second(axes, marks, named):
    """Plot another metric on a logarithmic scale at the right."""
    other = axes.twinx()
    other.spines[["top"]].set_visible(False)
    other.semilogy(*zip(*marks), "o--", color=ORANGE, markeredgecolor=INK, linewidth=1)
    other.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    other.yaxis.set_minor_locator(NullLocator())
    other.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    other.tick_params(labelsize=SMALL, colors=QUIET)
    other.set_ylabel(named, fontsize=SMALL, color=INK)


def described(history, done, baseline, marks, named, images, scale):
    """Return the alt text."""
    now = history[-1]
    than = said(", against {:g} ({})", *baseline) if baseline else ""
    other = said("; {} from {:.3g} to {:.3g}", named, marks[0][1], marks[-1][1]) if marks else ""
    seen = "" if images is None else sampled(len(images), scale)
    return said(
        "Training run, {done:.0%} of its time passed: the loss began at {first:.3f}, after {steps} steps it is {loss:.3f}{more}.",
        done=done,
        first=history[0].loss,
        steps=now.step,
        loss=now.loss,
        more=than + other + seen,
    )


def sampled(count, scale):
    """Say where the samples stand."""
    if scale is None:
        return said("; on the right {} samples of the current model", count)
    return said("; below it {} samples of the current model", count)
