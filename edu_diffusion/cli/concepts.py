"""The verb `concepts`: the concept test on paper, one HTML page to print, with an answer strip; the key on a page of its own."""

import html
from pathlib import Path

from edu_diffusion.errors import said

from . import html_page, languages

STYLE = """body{font:11pt/1.35 serif;max-width:46em;margin:1em auto;color:#000;background:#fff}
li{margin:.6em 0;break-inside:avoid} ol ol{list-style:upper-alpha;margin:.2em 0}
table{border-collapse:collapse} td,th{border:1px solid #000;padding:.2em .5em;text-align:center;min-width:1.6em}
.key{break-before:page}"""


def run(args, rest=()):
    """Write the page, and say where."""
    from edu_diffusion import exercises

    path = Path(args.paper)
    html_page.write(path, page(exercises.CONCEPTS))
    print(said("{}: {} questions, and the key for the teacher on the last page", path, len(exercises.CONCEPTS)))


def page(items):
    """Return the test as HTML in black and white, without scripts."""
    questions = "".join(f"<li>{html.escape(said(item.text))}<ol>{options(item)}</ol></li>" for item in items)
    body = (
        f"<h1>{said('Concept test')}</h1>"
        f"<p>{said('One answer each; leave out what you do not know. Pseudonym: {} before / after', '_' * 12)}</p>"
        f"<ol>{questions}</ol><h2>{said('Your answers')}</h2>{strip([''] * len(items))}"
        f'<div class="key"><h1>{said("Key, for the teacher")}</h1>{strip([item.right for item in items])}'
        f"<ol>{keys(items)}</ol></div>"
    )
    return html_page.frame(said("Concept test"), STYLE, body, language=languages.chosen())


def options(item):
    return "".join(f"<li>{html.escape(said(text))}</li>" for text in item.options.values())


def strip(letters):
    """A row of numbered boxes."""
    numbers = "".join(f"<th>{number}</th>" for number in range(1, len(letters) + 1))
    return f"<table><tr>{numbers}</tr><tr>{''.join(f'<td>{letter or chr(160)}</td>' for letter in letters)}</tr></table>"


def keys(items):
    """What the chooser of each wrong option believes."""
    return "".join(
        f"<li>{html.escape('; '.join(f'{k}: {said(v)}' for k, v in item.misconceptions.items()))}</li>" for item in items
    )
