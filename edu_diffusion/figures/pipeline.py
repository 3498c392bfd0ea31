"""The map of one run: the data flow from the prompt to the picture, with the blocks of the U-Net at hand.

A Diagram is numbers and words only, so that the clickable map in the browser looks the same as that of `run_map`.
Arrows are data flow; thin lines inside the U-Net are its skip connections.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .rendering import Picture

__all__ = ["Arrow", "Box", "Details", "Diagram", "diagram"]

PART = 130, 44  # pixels: the size of a box
BLOCK = 112, 40  # the size of a block of the U-Net
ROW = 50  # from one block to the next
LEFT, FRAME, RIGHT = 30, 190, 640  # where the three columns begin
TOP, INSIDE = 100, 138  # the top of the frame, and of its first row
WIDE = 802  # the width of the whole map
DATA, NETWORK, FORMULA = "data", "network", "formula"
PLACES = {  # name: (x, y, kind, label)
    "prompt": (LEFT, 16, DATA, "prompt"),
    "tokenizer": (196, 16, NETWORK, "tokenizer"),
    "text_encoder": (362, 16, NETWORK, "text encoder"),
    "noise": (LEFT, 76, DATA, "noise"),
    "z_t": (LEFT, 136, DATA, "latent"),
    "time_embedding": (LEFT, 204, NETWORK, "time embedding"),
    "guidance": (RIGHT, 136, FORMULA, "guidance"),
    "scheduler": (RIGHT, 212, FORMULA, "scheduler"),
    "vae": (RIGHT, 300, NETWORK, "VAE decoder"),
    "picture": (RIGHT, 366, DATA, "picture"),
}
XL = {"text_encoder_2": (528, 16, NETWORK, "text encoder 2"), "add_embedding": (680, 16, NETWORK, "prompt, sizes")}
CONTROL = {"controlnet": (LEFT, 306, NETWORK, "ControlNet"), "condition": (LEFT, 366, DATA, "condition")}


class Box(NamedTuple):
    """One box; shape: of its tensor, in words. The exam asks for its label unless it is inside the U-Net."""

    name: str
    label: str
    kind: str  # "data", "network" or "formula"
    x: int
    y: int
    width: int
    height: int
    shape: str = ""
    inside: bool = False


class Arrow(NamedTuple):
    """From the first of its points to the last; a skip is a thin line. words are written at `at`."""

    start: str
    end: str
    points: list
    skip: bool = False
    words: str = ""
    at: tuple = ()


class Diagram(NamedTuple):
    """All boxes, in the order of the data flow. frame: x, y, width, height of the U-Net's frame."""

    boxes: list
    arrows: list
    frame: tuple
    width: int
    height: int

    def __getitem__(self, name):
        return next(box for box in self.boxes if box.name == name)


class Details(NamedTuple):
    """Everything about one box. picture: a Picture. line: the line of `code` that computes the tensor."""

    name: str
    title: str
    words: str
    facts: list  # pairs (what, value) of strings
    picture: Picture | None
    function: str  # its name
    code: str  # its source
    line: int  # from 0
    lesson: str
    term: str  # in the glossary


def diagram(
    down: Sequence[str],
    up: Sequence[str],
    skips: Iterable[tuple[str, str]],
    shapes: Mapping[str, str],
    control: bool = False,
    xl: bool = False,
) -> Diagram:
    """Lay out a run's boxes and arrows.

    down, up: the names of the U-Net's down and up blocks, in the order of their calls.
    skips: pairs (name, name), from "conv_in" or a down block to an up block.
    shapes: {name: words}. control: whether a ControlNet was used. xl: whether there are a second text encoder and the
    conditioning on sizes, as in Stable Diffusion XL. Returns a Diagram.
    """
    blocks = inner(down, up)
    bottom = INSIDE + ROW * (len(down) + 2)
    frame = FRAME, TOP, 410, bottom - TOP
    parts = {
        name: Box(name, label, kind, x, y, *PART, shapes.get(name, ""))
        for name, (x, y, kind, label) in (PLACES | (XL if xl else {}) | (CONTROL if control else {})).items()
    }
    last = max(bottom, *(box.y + box.height for box in parts.values())) + 28
    parts["unet"] = Box("unet", "U-Net", NETWORK, FRAME, TOP, frame[2], 30, shapes.get("unet", ""))
    first = ["prompt", "tokenizer", "text_encoder", *XL, "noise", "z_t", *CONTROL, "time_embedding", "unet"]
    boxes = [
        *(parts.pop(name) for name in first if name in parts),
        *(box._replace(shape=shapes.get(box.name, "")) for box in blocks),
        *parts.values(),
    ]
    found = Diagram(boxes, [], frame, WIDE + (20 if xl else 0), last + 14)
    more = second_encoder(found) if xl else []
    return found._replace(arrows=[*flows(found, last, control), *more, *walk(found, down, up), *lines(found, skips)])


def inner(down, up):
    """Return the boxes in the U-Net: down blocks on the left, up blocks on the right, the mid block at the bottom."""
    n, (wide, high) = len(down), BLOCK
    left = [(name, row) for row, name in enumerate(["conv_in", *down])]
    right = [(name, n - i) for i, name in enumerate([*up, "conv_out"])]
    placed = [
        *((name, FRAME + 12 + 10 * row, row) for name, row in left),
        ("mid_block", FRAME + 205 - wide // 2, n + 1),
        *((name, FRAME + 286 - 10 * row, row) for name, row in right),
    ]
    return [Box(name, short(name), NETWORK, x, INSIDE + ROW * row, wide, high, inside=True) for name, x, row in placed]


def short(name):
    """Return a block's label: down 0 for down_blocks.0."""
    return "middle" if name == "mid_block" else name.replace("_blocks.", " ").replace("_", " ")


def flows(map, last, control):
    """Yield the arrows between the parts; the loop runs below everything, `last` pixels from the top."""
    straight = [
        ("prompt", "tokenizer"),
        ("tokenizer", "text_encoder"),
        ("noise", "z_t"),
        ("z_t", "conv_in"),
        ("conv_out", "guidance"),
        ("guidance", "scheduler"),
    ]
    yield from (between(map[a], map[b]) for a, b in straight)
    text, time = map["text_encoder"], map["time_embedding"]
    yield Arrow("text_encoder", "unet", [(427, text.y + PART[1]), (427, TOP)], words="into every cross-attention", at=(433, 82))
    yield Arrow(
        "time_embedding",
        "unet",
        [(LEFT + PART[0], time.y + 22), (FRAME, time.y + 22)],
        words="added in every block",
        at=(LEFT, time.y + 58),
    )
    out = map["scheduler"]
    vae = map["vae"]
    z = map["z_t"]
    yield between(out, vae)._replace(words="at the end", at=(RIGHT + 72, vae.y - 20))
    yield between(vae, map["picture"])
    side = RIGHT + PART[0]
    around = [(side, out.y + 22), (side + 20, out.y + 22), (side + 20, last), (12, last), (12, z.y + 14)]
    yield Arrow(
        "scheduler", "z_t", [*around, (LEFT, z.y + 14)], words="a little cleaner: the latent of the next step", at=(FRAME, last - 8)
    )
    if control:
        net, near = map["controlnet"], LEFT - 8
        yield between(map["condition"], net)
        yield Arrow("z_t", "controlnet", [(LEFT, z.y + 32), (near, z.y + 32), (near, net.y + 12), (LEFT, net.y + 12)])
        yield Arrow(
            "controlnet",
            "unet",
            [(LEFT + PART[0], net.y + 22), (FRAME, net.y + 22)],
            words="added to the skips",
            at=(LEFT, net.y - 10),
        )


def second_encoder(map):
    """Yield the arrows of Stable Diffusion XL's second text encoder, and of the summary of prompt and sizes."""
    text, added = map["text_encoder_2"], map["add_embedding"]
    yield Arrow("tokenizer", "text_encoder_2", [(261, text.y), (261, 8), (593, 8), (593, text.y)])
    yield Arrow("text_encoder_2", "unet", [(592, text.y + PART[1]), (592, TOP)])
    yield between(text, added)
    middle = added.x + 65
    yield Arrow(
        "add_embedding",
        "unet",
        [(middle, added.y + PART[1]), (middle, 88), (616, 88), (616, TOP + 15), (600, TOP + 15)],
        words="added to the time embedding",
        at=(620, 75),
    )


def between(a, b):
    """Return a straight arrow between two boxes that are side by side, or one below the other."""
    if a.x < b.x:
        y = a.y + a.height // 2
        points = [(a.x + a.width, y), (b.x, y)]
    else:
        x = a.x + a.width // 2
        points = [(x, a.y + a.height), (x, b.y)] if a.y < b.y else [(x, a.y), (x, b.y + b.height)]
    return Arrow(a.name, b.name, points)


def walk(map, down, up):
    """Yield the arrows from block to block: down, through the mid block, up."""
    left, right = ["conv_in", *down], [*up, "conv_out"]
    mid = map["mid_block"]
    for names in (left, right):
        yield from (between(map[a], map[b]._replace(x=map[a].x)) for a, b in zip(names, names[1:]))
    y = mid.y + mid.height // 2
    a, b = map[left[-1]], map[right[0]]
    x = a.x + a.width // 2
    yield Arrow(a.name, "mid_block", [(x, a.y + a.height), (x, y), (mid.x, y)])
    x = b.x + b.width // 2
    yield Arrow("mid_block", b.name, [(mid.x + mid.width, y), (x, y), (x, b.y + b.height)])


def lines(map, skips):
    """Yield the skips, each a line from the left to the right; the first is labelled."""
    for i, (start, end) in enumerate(dict.fromkeys(skips)):
        a, b = map[start], map[end]
        ends = [(a.x + a.width, a.y + 20), (b.x, b.y + 20)]
        note = {"words": "skips: concatenated", "at": (FRAME + 139, INSIDE + 16)} if not i else {}
        yield Arrow(start, end, ends, True, **note)
