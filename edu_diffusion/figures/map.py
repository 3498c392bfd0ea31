"""Two overview maps: the pipeline with "you are here", and the lessons of the course."""

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ..errors import said
from .rendering import Picture, picture
from .style import BLUE, INK, LIGHT, ORANGE, PAPER, QUIET, SMALL, TEXT, canvas

__all__ = ["PARTS", "pipeline_map"]

PARTS = {  # name: (x, y) of its centre, in boxes from the left and the top; label
    "prompt": (0, 0, '"a cat face ..."'),
    "tokenizer": (1, 0, "tokenizer"),
    "text encoder": (2, 0, "text encoder\n(CLIP)"),
    "noise": (0, 1, "noise $z_T$"),
    "unet": (2, 1, "U-Net"),
    "guidance": (3, 1, "guidance"),
    "scheduler": (2.5, 2, "scheduler:\none step cleaner"),
    "vae": (4, 1, "VAE decoder"),
    "picture": (5, 1, "picture"),
    "controlnet": (1, 2, "ControlNet\n(lesson 11)"),
    "encoder": (4, 2, "VAE encoder\n(training only)"),
}
ARROWS = [
    ("prompt", "tokenizer"),
    ("tokenizer", "text encoder"),
    ("text encoder", "unet"),
    ("noise", "unet"),
    ("unet", "guidance"),
    ("guidance", "scheduler"),
    ("scheduler", "unet"),
    ("guidance", "vae"),
    ("vae", "picture"),
]
ABSENT = ("controlnet", "encoder")
WIDE, HIGH = 148, 84  # pixels from box to box
BOX = (118, 46)


def pipeline_map(*here: str) -> Picture:
    """Show the pipeline from prompt to picture, with the parts named in `here` marked. Returns a Picture.

    here: names from PARTS; none: nothing is marked.
    """
    unknown = [name for name in here if name not in PARTS]
    if unknown:
        raise ValueError(f"The pipeline has no part {unknown[0]!r}; its parts are {', '.join(PARTS)}.")
    fig, axes = sheet(6 * WIDE, 3 * HIGH)
    for name, (x, y, words) in PARTS.items():
        box(axes, (x + 0.5) * WIDE, (y + 0.5) * HIGH, said(words), name in here, name in ABSENT)
    for start, end in ARROWS:
        arrow(axes, start, end)
    axes.text(2.5 * WIDE, 2.5 * HIGH, said("repeated at\nevery step"), fontsize=SMALL, color=QUIET, ha="right", va="center")
    alt = said(
        "Map of the pipeline. The prompt goes through tokenizer and text encoder into the U-Net; "
        "so does a latent of pure noise. Guidance combines the U-Net's two predictions, the scheduler "
        "makes the latent one step cleaner, and this is repeated; at the end the VAE decoder turns the "
        "latent into the picture."
    )
    return picture(fig, alt + (said(" You are here: {}.", ", ".join(here)) if here else ""))


def sheet(width, height):
    fig = canvas(width, height)
    axes = fig.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return fig, axes


def box(axes, x, y, words, marked=False, absent=False):
    """Draw a box around (x, y); dashed if this part is not used in plain text-to-image."""
    corner = (x - BOX[0] / 2, y - BOX[1] / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            *BOX,
            boxstyle="round,pad=0,rounding_size=8",
            linewidth=3 if marked else 1.2,
            linestyle="--" if absent else "-",
            facecolor=PAPER if absent else LIGHT,
            edgecolor=ORANGE if marked else QUIET,
        )
    )
    axes.text(
        x,
        y,
        words,
        fontsize=TEXT if "\n" not in words else SMALL,
        color=QUIET if absent else INK,
        ha="center",
        va="center",
        weight="bold" if marked else "normal",
    )


def arrow(axes, start, end):
    """Draw an arrow from the edge of one box to the edge of another."""
    a, b = (((PARTS[n][0] + 0.5) * WIDE, (PARTS[n][1] + 0.5) * HIGH) for n in (start, end))
    look = {"arrowstyle": "-|>", "mutation_scale": 13, "color": BLUE, "linewidth": 1.5}
    axes.add_patch(FancyArrowPatch(edge(a, b), edge(b, a), **look))


def edge(a, b):
    """Return the point where the line from the centre of box a to that of box b leaves box a."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    t = min(BOX[0] / 2 / abs(dx) if dx else 9, BOX[1] / 2 / abs(dy) if dy else 9)
    return a[0] + t * dx, a[1] + t * dy
