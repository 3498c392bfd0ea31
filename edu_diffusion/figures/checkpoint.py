"""The layout of a checkpoint file: its length field, its header and the bytes of its parts, to scale; and its first bytes."""

from collections.abc import Mapping

from .rendering import Picture, picture
from .style import BLUE, GREEN, INK, LIGHT, ORANGE, PINK, QUIET, SMALL, canvas, fill, write

__all__ = ["checkpoint_layout"]

FIELD, JSON = "length of the header", "header (JSON)"
COLOURS = (BLUE, ORANGE, GREEN, PINK)
WIDE, HIGH = 760, 40  # the bar, in pixels
LEFT, TOP = 16, 46
LINE = 22  # pixels for each line of text
SHOWN = 48  # characters of the header


def checkpoint_layout(first: bytes, header: int, parts: Mapping[str, tuple[int, int]], name: str = "model.safetensors") -> Picture:
    """Show how the bytes of a .safetensors file are used: a bar to scale, a line for each part, and the first bytes of the file.

    first: the file's first bytes, at least 8 and some of the header. header: the bytes of the JSON header. parts: {part: (number
    of its tensors, their bytes)} in the order of the file, as data.layout.parts gives them. Returns a Picture.
    """
    if int.from_bytes(first[:8], "little") != header or len(first) < 9:
        raise ValueError(f"first must be the file's first bytes: a length of {header} and the beginning of the header.")
    sizes = {FIELD: 8, JSON: header} | {part: size for part, (_, size) in parts.items()}
    total = sum(sizes.values())
    fig = canvas(2 * LEFT + WIDE, TOP + HIGH + LINE * (len(sizes) + 4))
    write(fig, LEFT, 20, f"{name}: {said(total)}, to scale", ha="left")
    bar(fig, sizes, total)
    lines(fig, sizes, parts, total)
    beginning(fig, first, TOP + HIGH + LINE * (len(sizes) + 1))
    return picture(fig, described(name, first, header, parts, total))


def bar(fig, sizes, total):
    """Draw the whole file as one bar; what is thinner than a pixel is drawn one pixel wide."""
    fill(fig, LEFT, TOP, WIDE, HIGH, LIGHT)
    end = total
    for part, size in reversed(sizes.items()):  # the length last, or the header would cover its one pixel
        x, right = (round(place / total * WIDE) for place in (end - size, end))
        fill(fig, LEFT + x, TOP, max(1, right - x), HIGH, colour(part, sizes))
        end -= size


def colour(part, sizes):
    """The colour of a part: dark for length and header, then the palette's in turn."""
    return {FIELD: INK, JSON: QUIET}.get(part) or COLOURS[(list(sizes).index(part) - 2) % len(COLOURS)]


def lines(fig, sizes, parts, total):
    """A line for each part: its colour, its name, its tensors, its bytes and its share of the file."""
    for i, (part, size) in enumerate(sizes.items()):
        y = TOP + HIGH + LINE * (i + 1)
        fill(fig, LEFT, y - 6, 12, 12, colour(part, sizes))
        what = counted(parts[part][0]) if part in parts else {FIELD: "a whole number", JSON: "text"}[part]
        for x, text in ((20, part), (260, what), (400, said(size)), (520, f"{size / total:.2%}")):
            write(fig, LEFT + x, y, text, SMALL, ha="left")


def beginning(fig, first, y):
    """The first bytes: the length in hexadecimal digits, and the beginning of the header as text."""
    write(fig, LEFT, y + LINE, "the file begins", SMALL, ha="left", color=QUIET)
    write(fig, LEFT, y + 2 * LINE, first[:8].hex(" "), SMALL, ha="left", family="monospace")
    write(fig, LEFT + 220, y + 2 * LINE, text_of(first), SMALL, ha="left", family="monospace", color=QUIET)


def text_of(first):
    """The beginning of the header, on one line."""
    text = first[8 : 8 + SHOWN].decode("utf-8", "replace")
    return "".join(c if c.isprintable() else " " for c in text) + " ..."


def counted(count):
    """A number of tensors in words."""
    return f"{count} tensor{'s' * (count != 1)}"


def said(size):
    """A number of bytes in words."""
    return f"{size} bytes" if size < 10_000 else f"{size / 1e3:.1f} KB" if size < 1e6 else f"{size / 1e6:.2f} MB"


def described(name, first, header, parts, total):
    """The alt text."""
    told = ", ".join(f"{part} {counted(count)}, {said(size)}, {size / total:.1%}" for part, (count, size) in parts.items())
    return (
        f"Layout of {name}, {said(total)}: 8 bytes with the length of the header ({first[:8].hex(' ')}), a JSON header of "
        f"{said(header)} that begins {text_of(first)}, then the tensors by part: {told or 'none'}."
    )
