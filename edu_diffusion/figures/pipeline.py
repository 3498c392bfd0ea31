"""The map of one run: what flows from the prompt to the picture, with the blocks that this very U-Net has.

A Diagram is numbers and words only, so that the clickable map draws the same in the browser as `run_map` does
here. Arrows are flows; thin lines inside the U-Net are its skips.
"""

from typing import NamedTuple

__all__ = ["Arrow", "Box", "Details", "Diagram", "diagram"]

PART, BLOCK, ROW = (130, 44), (112, 40), 50  # pixels: a box, a block of the U-Net, from block to block
LEFT, FRAME, RIGHT = 30, 190, 640  # where the three columns begin
TOP, INSIDE, WIDE = 100, 138, 802  # of the frame, of its first row; the width of all
DATA, NETWORK, FORMULA = "data", "network", "formula"
PLACES = {  # name: (x, y, what it is, label)
    "prompt": (LEFT, 16, DATA, "prompt"), "tokenizer": (196, 16, NETWORK, "tokenizer"),
    "text_encoder": (362, 16, NETWORK, "text encoder"), "noise": (LEFT, 76, DATA, "noise"),
    "z_t": (LEFT, 136, DATA, "latent"), "time_embedding": (LEFT, 204, NETWORK, "time embedding"),
    "guidance": (RIGHT, 136, FORMULA, "guidance"), "scheduler": (RIGHT, 212, FORMULA, "scheduler"),
    "vae": (RIGHT, 300, NETWORK, "VAE decoder"), "picture": (RIGHT, 366, DATA, "picture"),
}
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
    """From the first of its points to the last; a skip is a thin line. words stand at `at`."""

    start: str
    end: str
    points: list
    skip: bool = False
    words: str = ""
    at: tuple = ()


class Diagram(NamedTuple):
    """All boxes, in the order in which the data meet them. frame: x, y, width, height of the U-Net's."""

    boxes: list
    arrows: list
    frame: tuple
    width: int
    height: int

    def __getitem__(self, name):
        return next(box for box in self.boxes if box.name == name)


class Details(NamedTuple):
    """What there is to say of one box. picture: a Picture. line: which one of `code` makes the tensor."""

    name: str
    title: str
    words: str
    facts: list  # pairs (what, value), both words
    picture: object
    function: str  # its name
    code: str  # its source
    line: int  # from 0
    lesson: str
    term: str  # of the glossary


def diagram(down, up, skips, shapes, control=False):
    """Lay out a run's boxes and arrows.

    down, up: the names of the U-Net's blocks on the way down and up, from their first call to their last.
    skips: pairs (name, name), from "conv_in" or a block on the way down to one on the way up.
    shapes: {name: words}. control: whether a ControlNet took part. Returns a Diagram.
    """
    blocks = inner(down, up)
    bottom = INSIDE + ROW * (len(down) + 2)
    frame = FRAME, TOP, 410, bottom - TOP
    parts = {name: Box(name, label, kind, x, y, *PART, shapes.get(name, ""))
             for name, (x, y, kind, label) in (PLACES | (CONTROL if control else {})).items()}
    last = max(bottom, *(box.y + box.height for box in parts.values())) + 28
    parts["unet"] = Box("unet", "U-Net", NETWORK, FRAME, TOP, frame[2], 30, shapes.get("unet", ""))
    first = ["prompt", "tokenizer", "text_encoder", "noise", "z_t", *CONTROL, "time_embedding", "unet"]
    boxes = [*(parts.pop(name) for name in first if name in parts),
             *(box._replace(shape=shapes.get(box.name, "")) for box in blocks), *parts.values()]
    found = Diagram(boxes, [], frame, WIDE, last + 14)
    return found._replace(arrows=[*flows(found, last, control), *walk(found, down, up), *lines(found, skips)])


def inner(down, up):
    """The boxes in the U-Net: down at the left, up at the right, the middle at the bottom."""
    n, (wide, high) = len(down), BLOCK
    left = [(name, row) for row, name in enumerate(["conv_in", *down])]
    right = [(name, n - i) for i, name in enumerate([*up, "conv_out"])]
    placed = [*((name, FRAME + 12 + 10 * row, row) for name, row in left),
              ("mid_block", FRAME + 205 - wide // 2, n + 1),
              *((name, FRAME + 286 - 10 * row, row) for name, row in right)]
    return [Box(name, short(name), NETWORK, x, INSIDE + ROW * row, wide, high, inside=True)
            for name, x, row in placed]


def short(name):
    """A block's name on its box: down 0 for down_blocks.0."""
    return "middle" if name == "mid_block" else name.replace("_blocks.", " ").replace("_", " ")


def flows(map, last, control):
    """The arrows between the parts; the loop runs below everything, `last` pixels from the top."""
    straight = [("prompt", "tokenizer"), ("tokenizer", "text_encoder"), ("noise", "z_t"), ("z_t", "conv_in"),
                ("conv_out", "guidance"), ("guidance", "scheduler")]
    yield from (between(map[a], map[b]) for a, b in straight)
    text, time = map["text_encoder"], map["time_embedding"]
    yield Arrow("text_encoder", "unet", [(427, text.y + PART[1]), (427, TOP)], words="looked at in every "
                "cross-attention", at=(436, 82))
    yield Arrow("time_embedding", "unet", [(LEFT + PART[0], time.y + 22), (FRAME, time.y + 22)],
                words="added in every block", at=(LEFT, time.y + 58))
    out, vae, z = map["scheduler"], map["vae"], map["z_t"]
    yield between(out, vae)._replace(words="at the end", at=(RIGHT + 72, vae.y - 20))
    yield between(vae, map["picture"])
    side = RIGHT + PART[0]
    around = [(side, out.y + 22), (side + 20, out.y + 22), (side + 20, last), (12, last), (12, z.y + 14)]
    yield Arrow("scheduler", "z_t", [*around, (LEFT, z.y + 14)],
                words="a little cleaner: the latent of the next step", at=(FRAME, last - 8))
    if control:
        net, near = map["controlnet"], LEFT - 8
        yield between(map["condition"], net)
        yield Arrow("z_t", "controlnet", [(LEFT, z.y + 32), (near, z.y + 32), (near, net.y + 12),
                                          (LEFT, net.y + 12)])
        yield Arrow("controlnet", "unet", [(LEFT + PART[0], net.y + 22), (FRAME, net.y + 22)],
                    words="added to the skips", at=(LEFT, net.y - 10))


def between(a, b):
    """A straight arrow between two boxes that stand side by side, or one below the other."""
    if a.x < b.x:
        y = a.y + a.height // 2
        points = [(a.x + a.width, y), (b.x, y)]
    else:
        x = a.x + a.width // 2
        points = [(x, a.y + a.height), (x, b.y)] if a.y < b.y else [(x, a.y), (x, b.y + b.height)]
    return Arrow(a.name, b.name, points)


def walk(map, down, up):
    """The arrows from block to block: down, around the middle, up."""
    left, right, mid = ["conv_in", *down], [*up, "conv_out"], map["mid_block"]
    for names in (left, right):
        yield from (between(map[a], map[b]._replace(x=map[a].x)) for a, b in zip(names, names[1:]))
    y, a, b = mid.y + mid.height // 2, map[left[-1]], map[right[0]]
    x = a.x + a.width // 2
    yield Arrow(a.name, "mid_block", [(x, a.y + a.height), (x, y), (mid.x, y)])
    x = b.x + b.width // 2
    yield Arrow("mid_block", b.name, [(mid.x + mid.width, y), (x, y), (x, b.y + b.height)])


def lines(map, skips):
    """The skips, each a line from the left to the right; the first says what becomes of them."""
    for i, (start, end) in enumerate(dict.fromkeys(skips)):
        a, b = map[start], map[end]
        ends = [(a.x + a.width, a.y + 20), (b.x, b.y + 20)]
        note = {"words": "skips: concatenated", "at": (FRAME + 139, INSIDE + 16)} if not i else {}
        yield Arrow(start, end, ends, True, **note)
