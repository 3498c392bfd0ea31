"""The page of `slides`: the blocks that a slide is made of, and the HTML file, whose slides.js shows one slide at a time."""

import html
import math
import re
from pathlib import Path

from edu_diffusion.errors import said

from . import html_page, languages
from .typeset import to_html

WIDTH, HEIGHT = 1200, 570  # of what is below a slide's title, in px of a slide of 1280 x 720
LETTER, LINE, REM = 15, 37, 16  # mean width of a letter, height of a line of a caption; px of 1rem
LEAST = 0.8  # of a picture's size alone on a slide; where code leaves it less, they are on two slides
MOST_LARGER = 4  # times; beyond that a picture is nothing but squares
ASIDE = 400  # px at least for a caption beside a picture
READABLE = 1.2  # times larger than in the notebook: the labels in a picture
REMARK = '<p class="remark">'


def page(slides):
    """Return the HTML of slides, each with a title and blocks of HTML."""
    head, *rest = (section(slide, "h2" if number else "h1") for number, slide in enumerate(slides))
    body = f"<main>\n{head}{''.join(rest)}</main>\n{controls()}"
    return html_page.frame(slides[0].title, beside("slides.css"), body, beside("slides.js"), languages.chosen())


def beside(name):
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def section(slide, heading):
    blocks = "\n".join(slide.blocks)
    joins = ' class="joins"' if slide.joins else ""
    return f'<section tabindex="-1"{joins}>\n<{heading}>{inline(slide.title)}</{heading}>\n{blocks}\n</section>\n'


def inline(text):
    """Return one line of Markdown as HTML without a paragraph around it."""
    return to_html(text).strip().removeprefix("<p>").removesuffix("</p>")


def controls():
    """The buttons and the list of keys; slides.js shows them."""
    before, following, all_keys = said("Slide before"), said("Next slide"), said("Keys")
    rows = "".join(f"<tr><th scope='row'>{key}</th><td>{what}</td></tr>" for key, what in keys())
    return (
        f'<nav aria-label="{said("Slides")}" hidden><button type="button" aria-label="{before}">←</button><output></output>'
        f'<button type="button" aria-label="{following}">→</button><button type="button" aria-label="{all_keys}">?</button></nav>\n'
        f'<dialog aria-label="{all_keys}"><table>{rows}</table>'
        f'<form method="dialog"><button>{said("Close")}</button></form></dialog>\n'
    )


def keys():
    """(keys, what they do)."""
    return (
        (said("→, space, Page Down"), said("next slide, or the answer")),
        (said("←, Page Up"), said("the slide before")),
        (said("Home, End"), said("first and last slide")),
        ("?", said("these keys")),
        ("F11", said("full screen, in most browsers")),
    )


# ---------------------------------------------------------------- blocks


def text(markdown):
    """Return Markdown as HTML; a link to another lesson, which is not there on a projector, becomes its words."""
    drawn = re.sub(r'<a href="[^":]*\.ipynb">(.*?)</a>', r"\1", to_html(markdown).strip())
    drawn = re.sub(r"(<li>(?:<p>)?<strong>[A-Z]</strong>):", r"\1", drawn)
    return re.sub(r"<ul>(\s*<li>(?:<p>)?<strong>A</strong>)", r'<ul class="options">\1', drawn)


def lines(source, kind="code"):
    """Return code or printed text; a line that is too long for a slide goes on below, indented."""
    return f'<pre class="{kind}">{"".join(map(line, source.splitlines()))}</pre>'


def line(words):
    indent = len(words) - len(words.lstrip()) + 4
    return f'<span style="padding-left:{indent}ch;text-indent:-{indent}ch">{html.escape(words)}\n</span>'


def remark(names, count):
    """Return what stands in place of code that is too long."""
    what = said(" and ").join(f"<code>{html.escape(name)}</code>" for name in names)
    where = (
        said("In the notebook: {}, {} lines of code.", what, count) if what else said("In the notebook: {} lines of code.", count)
    )
    return f"{REMARK}{where}</p>"


def sentence(words):
    """Return a sentence of a check, which has code between ` as Markdown does."""
    drawn = re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(words))
    return f"<p>{drawn}</p>"


def closed(blocks):
    """Return blocks that a key, or a press, opens."""
    return f"<details><summary>{said('Answer')}</summary>\n{''.join(blocks)}\n</details>"


def source(markup):
    """Return (formula in Markdown or "", code) of what figures.source shows: our own <details>, or Markdown."""
    closed = re.search(r"</summary>([\s\S]*?)<pre[^>]*><code>([\s\S]*)</code></pre>", markup)
    parts = closed or re.search(r"([\s\S]*?)```python\n([\s\S]*?)\n?```", markup)
    return tuple(html.unescape(part).strip() if closed else part.strip() for part in parts.groups())


def listed(markup):
    """Return a list in the size of the slide's letters."""
    return re.sub(r' style="[^"]*"', "", markup)


def figure(markup, options):
    """Return the picture of an output with its alt text as caption, or with the options of a question about it.

    options: None where nothing is asked about it. In place of options an alt text would say what is to be seen.
    """
    alt, width, height, data = re.search(r'<img alt="([^"]*)" width="(\d+)" height="(\d+)".*?src="([^"]+)"', markup).groups()
    size = int(width), int(height)
    words = [alt] * is_caption(alt, *size) if options is None else list(options.values())
    where, scale, tall = place(*size, words)
    across, down = (scale * side / REM for side in size)
    look = f"--across:{across:.1f}rem;--down:{down:.1f}rem;--least:{LEAST * down + tall / REM:.1f}rem"
    image = f'<img alt="{alt}" width="{width}" height="{height}" src="{data}">'
    return f'<figure class="{where}" style="{look}">{image}{caption(words, options)}</figure>'


def caption(words, options):
    """Return options as a list, or else the alt text, which a screen reader has read already."""
    if options:
        return f"<figcaption>{text(chr(10).join(f'* **{letter}** {option}' for letter, option in options.items()))}</figcaption>"
    return "".join(f'<figcaption aria-hidden="true">{alt}</figcaption>' for alt in words)


def is_caption(alt, width, height):
    """Whether an alt text is shown, too: where it leaves the picture its size, and says more than labels that can be read."""
    scale, alone = place(width, height, [alt])[1], place(width, height, [])[1]
    return scale >= LEAST * alone and not (is_labels(alt) and alone > min(scale, READABLE))


def is_labels(alt):
    """Whether an alt text repeats what stands in the picture: it is the one that figures make of their labels."""
    made = said("{} pictures: {}"), said("Contact sheet of {} pictures with their prompts: {}")
    stems = (languages.pattern(sentence.partition(":")[0], r"\d+(?: small)?") for sentence in made)
    return any(re.match(stem, alt) for stem in stems)


def place(width, height, words):
    """Return where a caption leaves a picture more room, "below" or "beside", the picture's scale there, and the caption's px."""
    tall = lines_tall(words, WIDTH)
    below = min(WIDTH / width, (HEIGHT - tall) / height, MOST_LARGER)
    aside = min((WIDTH - ASIDE) / width, HEIGHT / height, MOST_LARGER)
    room = words and lines_tall(words, WIDTH - aside * width - 2 * REM) <= HEIGHT
    return ("beside", aside, 0) if room and aside > below else ("below", below, tall)


def lines_tall(words, width):
    """The height of texts below one another, in px."""
    return sum(LINE * math.ceil(len(one) * LETTER / width) for one in words)
