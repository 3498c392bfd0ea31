"""Few steps: what a number of evaluations of the network buys, as images and as a plot of quality against cost."""

from collections.abc import Mapping, Sequence

from .hints import Arrays
from .rendering import Picture, picture
from .schedule_plots import LINES, plot
from .style import BLUE, GAP, INK, LIGHT, QUIET, SMALL, canvas, panel, rgb, show, write

__all__ = ["fast_and_good", "quick_row"]

MARKERS = "os^Dv"
FLOOR = 0.05  # a smaller excess is drawn here, since a logarithm has no zero
TOP = 46  # pixels above the images
WIDE = 420  # of the plot


def quick_row(images: Arrays, labels: Sequence[str], spent: int, usual: int, words: str, scale: int = 3) -> Picture:
    """Show images side by side under a bar: how many evaluations each of them took, of those that are usual.

    images: (B, 3, H, W) in [-1, 1]. labels: B strings. spent, usual: evaluations for one image. words: how they were
    generated, for the heading. scale: the edge of a pixel. Returns a Picture.
    """
    if len(images) != len(labels):
        raise ValueError(f"There are {len(images)} images and {len(labels)} labels; give one for each.")
    edge = images[0].shape[-1] * scale
    wide = len(images) * (edge + GAP) + GAP
    fig = canvas(wide, TOP + edge + 28)
    heading = f"{spent} of {usual} evaluations: {words}"
    write(fig, GAP, 14, heading, SMALL, ha="left")
    axes = panel(fig, GAP, 26, wide - 2 * GAP, 8)
    axes.set(xlim=(0, max(usual, spent)), ylim=(0, 1))
    axes.barh([0.5, 0.5], [usual, spent], height=1, color=[LIGHT, BLUE])
    for i, (image, label) in enumerate(zip(images, labels)):
        x = GAP + i * (edge + GAP)
        show(fig, rgb(image), x, TOP, edge)
        write(fig, x + edge / 2, TOP + edge + 14, label, SMALL)
    return picture(fig, f"{len(images)} images, {'; '.join(labels)}. {heading}.")


def fast_and_good(
    curves: Mapping[str, Mapping[int, Mapping[str, float]]],
    reference: tuple[str, Mapping[str, float]],
    title: str = "Fréchet excess",
) -> Picture:
    """Plot an error against evaluations, both logarithmic, with 95 % intervals; a band shows the reference.

    curves: {way of sampling: {evaluations: {"value", "low", "high"}}}, at most five. reference: (its name, its score).
    Values below 0.05, also negative ones, are drawn at 0.05. Returns a Picture.
    """
    if not curves or not all(curves.values()):
        raise ValueError("There is nothing to plot; give each curve at least one number of evaluations.")
    name, score = reference
    fig = canvas(WIDE + 300, 330)
    axes = plot(fig, 60, 34, WIDE - 80, 240)
    axes.set(xscale="log", yscale="log")
    axes.axhspan(drawn(score["low"]), drawn(score["high"]), color=LIGHT, zorder=0)
    axes.axhline(drawn(score["value"]), color=QUIET, linewidth=1, label=name)
    for (way, points), (colour, dashes), marker in zip(curves.items(), LINES, MARKERS):
        x, low, value, high = columns(points)
        bars = [[v - a for v, a in zip(value, low)], [b - v for v, b in zip(value, high)]]
        axes.errorbar(
            x, value, bars, color=colour, linestyle=dashes, marker=marker, markersize=5, linewidth=2, capsize=3, label=way
        )
    counts = sorted({n for points in curves.values() for n in points})
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.set_xlabel("evaluations of the U-Net for one image", fontsize=SMALL, color=INK)
    axes.set_title(f"{title} (lower is better)", fontsize=SMALL, color=INK)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left", bbox_to_anchor=(1.03, 1))
    told = "; ".join(f"{way}: {listed(points)}" for way, points in curves.items())
    return picture(fig, f"{title} against evaluations. {told}. The band is {name}: {score['value']:.2f}.")


def columns(points):
    """The numbers of evaluations in order, and the lower ends, values and upper ends, as drawn."""
    x = sorted(points)
    return x, *([drawn(points[n][key]) for n in x] for key in ("low", "value", "high"))


def listed(points):
    """The values of a curve in words."""
    return ", ".join(f"{score['value']:.2f} at {n}" for n, score in sorted(points.items()))


def drawn(value):
    """A value as the logarithmic axis can show it."""
    return max(value, FLOOR)
