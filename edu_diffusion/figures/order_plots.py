"""How fast the error falls with more sampling steps: the order of a sampler, seen as a slope."""

from collections.abc import Mapping

import numpy as np

from .hints import Numbers
from .rendering import Picture, picture
from .schedule_plots import LINES, plot
from .style import INK, LIGHT, QUIET, SMALL, array, canvas

__all__ = ["order", "orders"]

MARKERS = "os^Dv"


def order(counts: Numbers, errors: Numbers) -> float:
    """Return the negative slope of the error on logarithmic scales: 1 if twice the steps halve the error."""
    return -float(np.polyfit(np.log(array(counts)), np.log(array(errors)), 1)[0])


def orders(counts: Numbers, errors: Mapping[str, Numbers], named: str = "steps") -> Picture:
    """Plot errors against the number of steps, both logarithmic, with lines of slope 1 and 2 for comparison.

    counts: N numbers of steps. errors: {method: N errors, above zero}, at most five. Returns a Picture.
    """
    wrong = [name for name, e in errors.items() if len(e) != len(counts) or not (array(e) > 0).all()]
    if wrong:
        raise ValueError(f"The errors of {wrong[0]!r} cannot be plotted; give {len(counts)} numbers above zero.")
    fig = canvas(680, 330)
    axes = plot(fig, 70, 34, 300, 240)
    top, x = max(max(e) for e in errors.values()), array(counts)
    for power in (1, 2):
        axes.loglog(x, 1.6 * top * (x[0] / x) ** power, color=LIGHT, linewidth=5, zorder=0)
        axes.text(x[-1], 1.6 * top * (x[0] / x[-1]) ** power, f"  slope {power}", fontsize=SMALL, color=QUIET, va="center")
    for (name, e), (colour, dashes), marker in zip(errors.items(), LINES, MARKERS):
        label = f"{name}: order {order(counts, e):.1f}"
        axes.loglog(x, array(e), color=colour, linestyle=dashes, marker=marker, markersize=5, linewidth=2, label=label)
    axes.set_xticks(list(counts), [str(count) for count in counts])
    axes.minorticks_off()
    axes.set_xlabel(named, fontsize=SMALL, color=INK)
    axes.set_title("error", fontsize=SMALL, color=INK)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1.2, 1))
    told = "; ".join(f"{name}: {e[0]:.2g} falls to {e[-1]:.2g}, order {order(counts, e):.1f}" for name, e in errors.items())
    return picture(fig, f"Errors against {named}, {counts[0]} to {counts[-1]}, on logarithmic scales. {told}.")
