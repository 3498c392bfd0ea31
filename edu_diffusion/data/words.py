"""The language of the emoji world: one grammar for captions, prompts and questions.

A caption names a concept, and may name a size, a place, a background colour and a style:

    "a small cat face at the top left on a blue background, twemoji style"

What is left unsaid has a meaning: no size word is medium, no place is the centre, no style is twemoji; no
colour means any. Pure text, standard library only.
"""

COLOURS = {  # the ten backgrounds, sRGB
    "white": (250, 250, 250), "black": (24, 24, 28), "gray": (140, 140, 146), "red": (214, 48, 49),
    "orange": (243, 140, 40), "yellow": (250, 215, 70), "green": (70, 170, 90), "blue": (60, 120, 216),
    "purple": (130, 80, 190), "pink": (250, 160, 200),
}
STYLES = ("noto", "twemoji", "fluent")  # the base learns these three
USUAL_STYLE = "twemoji"  # what a caption without a style means
THING = "thing"  # says only that there is one: any concept
NEW_STYLE = "contrast"  # the fourth, which the base never sees: the LoRA lesson's
SIZES = {"small": 30, "medium": 42, "big": 56}  # edge of the sprite in pixels, in a 64-pixel picture
PLACES = {  # (x, y) in units of the free margin: -1 is the left or top edge, 0 the centre
    "centre": (0, 0), "left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1),
    "top left": (-1, -1), "top right": (1, -1), "bottom left": (-1, 1), "bottom right": (1, 1),
}

COUNTS = ("", "", "two", "three")
TEMPLATES = (  # the first is the canonical one; the others are a learner's own words
    "{thing}{place}{on}{style}",
    "{style_first}{colour_first}{thing}{place}",
    "a picture of {thing}{place}{on}{style}",
    "{thing}{place}{behind}{style}",
)


def article(name):
    """"a", "an" or nothing: plural names such as "french fries" take none."""
    plural = name.endswith("s") and not name.endswith(("ss", "us", "is", "as"))
    return "" if plural else "an" if name[:1].lower() in "aeiou" else "a"


def noun_phrase(name, size="medium", count=1):
    """"a small cat face", "two small cat faces"."""
    word = "" if size == "medium" else size
    if count > 1:
        return join(COUNTS[count], word, name if name.endswith("s") else name + "s")
    return join(article(word or name) if article(name) else "", word, name)


def caption(name, colour="", size="medium", place="centre", style="", count=1, template=0):
    """The sentence that says exactly this; empty colour or style: not mentioned.

    name: a concept's name or alias. template: index into TEMPLATES. Returns str.
    """
    return TEMPLATES[template].format(
        thing=noun_phrase(name, size, count),
        place="" if place == "centre" else f" at the {place}",
        on=f" on {article(colour)} {colour} background" if colour else "",
        behind=f" with {colour} behind it" if colour else "",
        colour_first=f"{colour} background, " if colour else "",
        style=f", {style} style" if style else "",
        style_first=f"{style} style, " if style else "",
    )


def join(*words):
    return " ".join(word for word in words if word)
