"""The effect of a setting: metrics plotted against its value, in plots side by side."""

from collections.abc import Mapping

from .hints import Numbers
from .rendering import Picture, picture
from .schedule_plots import LINES, plot
from .style import INK, SMALL, canvas

__all__ = ["effect"]

MARKERS = "os^Dv"
WIDE = 310  # pixels for each plot
POINTS = 10  # so many are told one by one in the alt text


def effect(x: Numbers, panels: Mapping[str, Mapping[str, Numbers]], named: str) -> Picture:
    """Show plots side by side, with y axes from zero: in each, one curve or several against the same settings.

    x: N settings, numbers; named: their name. panels: {title: {curve: N values}}, at most three of up to
    five curves each. Returns a Picture.
    """
    short = [name for curves in panels.values() for name, values in curves.items() if len(values) != len(x)]
    if short:
        raise ValueError(
            f"The number of values of {short[0]!r} is not the number of settings, {len(x)}; give one value for each setting."
        )
    fig = canvas(len(panels) * WIDE, 270)
    for k, (title, curves) in enumerate(panels.items()):
        axes = plot(fig, k * WIDE + 46, 36, WIDE - 66, 176)
        for (name, values), (colour, dashes), marker in zip(curves.items(), LINES, MARKERS):
            axes.plot(x, values, color=colour, linestyle=dashes, marker=marker, markersize=5, linewidth=2, label=name)
        axes.set_ylim(0, 1.12 * max(max(values) for values in curves.values()) or 1)
        axes.set_xticks(list(x), [f"{value:g}" for value in x])
        axes.set_xlabel(named, fontsize=SMALL, color=INK)
        axes.set_title(title, fontsize=SMALL, color=INK)
        if len(curves) > 1:
            axes.legend(fontsize=SMALL, frameon=False)
    plots = "1 plot" if len(panels) == 1 else f"{len(panels)} plots"
    return picture(fig, f"{plots} against {named}, {x[0]:g} to {x[-1]:g}. {told(x, panels)}.")


def told(x, panels):
    """Say what each curve is at every setting, or, where these are many, where it starts and ends."""
    said = range(len(x)) if len(x) <= POINTS else (0, len(x) - 1)
    return "; ".join(
        f"{title}{', ' + name if len(curves) > 1 else ''}: " + ", ".join(f"{values[i]:.3g} at {x[i]:g}" for i in said)
        for title, curves in panels.items()
        for name, values in curves.items()
    )
