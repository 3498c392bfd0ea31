"""How much memory each way to draw takes: weights and activations as stacked bars, against the memory available."""

from collections.abc import Sequence
from typing import NamedTuple

from .artists import text_mask
from .rendering import Picture, picture
from .style import BLUE, INK, LIGHT, ORANGE, QUIET, SMALL, canvas, panel, write

__all__ = ["Need", "memory_bars"]

ROW = 30  # pixels: the height of a bar's row
TOP = 56  # the space above, for the legend
WIDE = 420  # the width of the bars
GAP = 12  # on both sides of a name
OVER = {"zorder": 3, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1}}  # a number hides the line behind it


class Need(NamedTuple):
    """What one way to draw takes, in bytes."""

    name: str
    weights: float
    activations: float


def memory_bars(needs: Sequence[Need], budget: float | None = None, unit: str = "GB", what: str = "ways to draw") -> Picture:
    """Show a bar for each way to draw: its weights, then its activations, at the worst moment; and the budget as a line.

    needs: at least one, from top to bottom; names, then bytes. budget: bytes that there are, or None. unit: "GB" or "MB".
    what: what the bars are, for the alt text. Returns a Picture. Raises ValueError for no needs, negative bytes or another unit.
    """
    scale = {"GB": 1e9, "MB": 1e6}.get(unit)
    needs = [Need(*need) for need in needs]
    if not needs or scale is None or any(min(need[1:]) < 0 for need in needs):
        raise ValueError(
            f"There are {len(needs)} needs and the unit is {unit!r}; give at least one, of 0 bytes or more, in GB or MB."
        )
    left = max(2 * GAP + text_mask(need.name, SMALL).width for need in needs)
    fig = canvas(left + WIDE + 70, TOP + ROW * len(needs) + 44)
    for i, need in enumerate(needs):
        write(fig, left - GAP, TOP + ROW * (i + 0.5), need.name, SMALL, ha="right")
    legend(fig, left, budget is not None)
    bars(panel(fig, left, TOP, WIDE, ROW * len(needs)), needs, budget, scale, unit)
    return picture(fig, told(needs, budget, scale, unit, what))


def legend(fig, left, line):
    """Write what the colours mean."""
    for x, color, words in ((0, BLUE, "weights"), (110, ORANGE, "activations")):
        panel(fig, left + x, 18, 14, 14).barh([0], [1], height=1, color=color)
        write(fig, left + x + 20, 25, words, SMALL, ha="left")
    if line:
        write(fig, left + 240, 25, "dashed: memory available", SMALL, ha="left", color=QUIET)


def bars(axes, needs, budget, scale, unit):
    """Draw the bars from top to bottom, each with its sum, and the budget."""
    axes.set_axis_on()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=QUIET)
    most = max([sum(need[1:]) for need in needs] + [budget or 0]) / scale
    axes.set(ylim=(len(needs) - 0.5, -0.5), xlim=(0, 1.15 * most or 1), yticks=[])
    axes.set_xlabel(unit, fontsize=SMALL, color=INK)
    for i, need in enumerate(needs):
        weights, activations = need.weights / scale, need.activations / scale
        axes.barh([i, i], [weights, activations], left=[0, weights], height=0.7, color=[BLUE, ORANGE], edgecolor=LIGHT)
        axes.text(weights + activations + 0.01 * most, i, f"{weights + activations:.3g}", fontsize=SMALL, va="center", **OVER)
    if budget is not None:
        axes.axvline(budget / scale, color=INK, linestyle="--", linewidth=1.5)


def told(needs, budget, scale, unit, what):
    """Describe every bar in words, and which fit."""
    rows = [
        f"{name} {(weights + more) / scale:.3g} {unit} ({weights / scale:.3g} weights, {more / scale:.3g} activations)"
        + ("" if budget is None else ", which fits" if weights + more <= budget else ", which does not fit")
        for name, weights, more in needs
    ]
    there = "" if budget is None else f" Available are {budget / scale:.3g} {unit}."
    return f"Predicted memory, a bar for each of {len(needs)} {what}:{there} {'; '.join(rows)}."
