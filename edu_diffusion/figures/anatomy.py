"""Models side by side: how many parameters each part has, and the numbers and conventions that code must know."""

from collections.abc import Mapping
from typing import Any

from .artists import text_mask
from .rendering import Picture, picture
from .style import BLUE, GREEN, INK, LIGHT, ORANGE, PINK, QUIET, SMALL, TEXT, canvas, fill, panel, write

__all__ = ["architectures"]

COLORS = {"text_encoder": BLUE, "text_encoder_2": PINK, "unet": ORANGE, "vae": GREEN}
NAMES = {"text_encoder": "text encoder", "text_encoder_2": "text encoder 2", "unet": "U-Net", "vae": "VAE"}
LABELS = 150  # pixels: the width of the column of labels
WIDE = 160  # the width of a model's column: five of them fit a page 1024 pixels wide
LEGEND = 430  # the width that the names of all parts take
MARGIN = 12
BAR = 230  # the height of the longest bar
TOP = 64  # the space above, for the legend and the names
ROW = 26


def architectures(models: Mapping[str, Any]) -> Picture:
    """Show a column for each model: a bar of the parameters of its parts, and below it what code must know.

    models: {name: Architecture}, one to six; see models.architecture. Rows in which the models differ are in bold.
    Returns a Picture. Raises ValueError for no model, or more than six.
    """
    if not 1 <= len(models) <= 6:
        raise ValueError(f"There are {len(models)} models; one to six can be shown side by side.")
    facts = {name: described(one) for name, one in models.items()}
    rows = list(next(iter(facts.values())))
    fig = canvas(max(LABELS + WIDE * len(models), LEGEND), TOP + BAR + 34 + ROW * len(rows) + 10)
    legend(fig, models)
    most = max(sum(one.parameters.values()) for one in models.values())
    for i, (name, one) in enumerate(models.items()):
        left = LABELS + WIDE * i
        write(fig, left + WIDE / 2, 46, name, TEXT, weight="bold")
        bar(panel(fig, left, TOP, WIDE, BAR + 20), one.parameters, most)
    for j, row in enumerate(rows):
        line(fig, j, row, [one[row] for one in facts.values()])
    return picture(fig, told(models, facts))


def legend(fig, models):
    """Write what the colours mean."""
    x = MARGIN
    for part in [part for part in COLORS if any(part in one.parameters for one in models.values())]:
        fill(fig, x, 12, 14, 14, COLORS[part])
        write(fig, x + 20, 19, NAMES[part], SMALL, ha="left")
        x += text_mask(NAMES[part], SMALL).width + 44


def bar(axes, parameters, most):
    """Draw one stacked bar, with the sum above it."""
    bottom = 0
    for part in [part for part in ("vae", "text_encoder", "text_encoder_2", "unet") if part in parameters]:
        axes.bar(0, parameters[part], 0.5, bottom=bottom, color=COLORS[part])
        bottom += parameters[part]
    axes.text(0, bottom + 0.015 * most, count(bottom), ha="center", va="bottom", fontsize=SMALL, color=INK)
    axes.set(xlim=(-0.75, 0.75), ylim=(0, most * (1 + 20 / BAR)))


def line(fig, j, row, values):
    """Write one row of the table; in bold where the models differ."""
    y = TOP + BAR + 34 + ROW * (j + 0.5)
    if j % 2 == 0:
        fill(fig, 0, y - ROW / 2, LABELS + WIDE * len(values), ROW, LIGHT)
    write(fig, LABELS - 12, y, row, SMALL, color=QUIET, ha="right")
    weight = "bold" if len(set(values)) > 1 else "normal"
    for i, value in enumerate(values):
        write(fig, LABELS + WIDE * (i + 0.5), y, value, SMALL, weight=weight)


def described(one):
    """The rows of a model's table, in words."""
    return {
        "image": f"{one.image} x {one.image}",
        "latent": " x ".join(map(str, one.latent)),
        "tokens": str(one.tokens),
        "width of the text": " + ".join(map(str, one.widths)),
        "U-Net's channels": " ".join(map(str, one.channels)),
        "transformer layers": " ".join(map(str, one.transformers)),
        "the U-Net predicts": {"epsilon": "noise", "v_prediction": "v", "sample": "the image"}.get(one.prediction, one.prediction),
        "scaling factor": f"{one.scaling_factor:.5g}",
    }


def count(n):
    """A number of parameters in words: 860 million, 2.57 billion."""
    return f"{n / 1e9:.3g} billion" if n >= 1e9 else f"{n / 1e6:.3g} million"


def told(models, facts):
    """Describe every column in words."""
    columns = [
        f"{name}: {count(sum(one.parameters.values()))} parameters ("
        + ", ".join(f"{NAMES[part]} {count(n)}" for part, n in one.parameters.items())
        + "); "
        + ", ".join(f"{row} {value}" for row, value in facts[name].items())
        for name, one in models.items()
    ]
    return f"{len(models)} models side by side, with a bar for the parameters of each part. {'. '.join(columns)}."
