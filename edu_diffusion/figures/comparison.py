"""Methods side by side: a dot for each score, and a line for its 95 % confidence interval."""

from collections.abc import Mapping, Sequence

from .artists import text_mask
from .rendering import Picture, picture
from .style import BLUE, INK, LIGHT, QUIET, SMALL, canvas, panel, write

__all__ = ["compared"]

NAMES = 150  # pixels: the least width of the column of names
WIDE = 250  # the width of a panel
ROW = 30  # the height of a method's row
TOP = 40  # the space above
GAP = 12  # on both sides of a name


def compared(names: Sequence[str], panels: Mapping[str, Sequence[Mapping[str, float] | None]], unit: str = "") -> Picture:
    """Show a row for each method and a panel for each metric: a dot, and a line over its 95 % interval.

    names: N methods. panels: {title: N scores}, a score being {"value", "low", "high"}, or None where there is none.
    unit: the text after every number. Returns a Picture.
    """
    wrong = [title for title, scores in panels.items() if len(scores) != len(names)]
    if wrong or not panels:
        raise ValueError(
            f"{wrong[0] if wrong else 'Nothing'!r} does not have one score for each of {len(names)} methods; "
            "give None for a missing score."
        )
    left = max(NAMES, *(2 * GAP + text_mask(name, SMALL).width for name in names))
    fig = canvas(left + len(panels) * WIDE, TOP + ROW * len(names) + 34)
    for i, name in enumerate(names):
        write(fig, left - GAP, TOP + ROW * (i + 0.5), name, SMALL, ha="right")
    for k, (title, scores) in enumerate(panels.items()):
        write(fig, left + k * WIDE + (WIDE - 24) / 2, TOP / 2, title, SMALL, color=INK)
        dots(panel(fig, left + k * WIDE, TOP, WIDE - 24, ROW * len(names)), scores)
    return picture(fig, f"{len(names)} methods. " + " ".join(told(names, *item, unit) for item in panels.items()))


def dots(axes, scores):
    """Draw one panel: stripes, a line at zero, and the scores from top to bottom."""
    axes.set_axis_on()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(labelsize=SMALL, colors=QUIET)
    axes.set(ylim=(len(scores) - 0.5, -0.5), yticks=[])
    for i in range(0, len(scores), 2):
        axes.axhspan(i - 0.5, i + 0.5, color=LIGHT, linewidth=0, zorder=0)
    axes.axvline(0, color=QUIET, linewidth=1)
    for i, score in enumerate(scores):
        if score is not None:
            axes.plot([score["low"], score["high"]], [i, i], color=BLUE, linewidth=3, solid_capstyle="butt")
            axes.plot(score["value"], i, "o", color=BLUE, markeredgecolor=INK, markersize=8)


def told(names, title, scores, unit):
    """Describe a panel in words."""
    known = [
        f"{name} {score['value']:.2f}{unit} ({score['low']:.2f} to {score['high']:.2f})"
        for name, score in zip(names, scores)
        if score is not None
    ]
    return f"{title}: {', '.join(known)}."
