"""The verb `worksheet`: the questions of a lesson on paper, in black and white, with room for the answers.

A question is the text above the cell that asks it, up to the heading; pictures and code stay on the screen or the projector.
"""

import html
import json
import re
from pathlib import Path

from edu_diffusion.errors import EduError, said

from . import html_page, languages, lessons, versions
from .typeset import to_html

STYLE = """body{font:12pt/1.4 serif;max-width:44em;margin:1em auto;color:#000;background:#fff}
section{break-inside:avoid;border-top:1px solid #000;padding:.4em 0} code{font:11pt monospace}
.room{border:1px solid #000;min-height:3em;margin:.4em 0} .write{min-height:9em} ul{list-style:none;padding-left:1em}"""


def run(args, rest=()):
    """Write the page, and say where."""
    folder = lessons.source()
    path = next((p for p in sorted(folder.glob("*.ipynb")) if p.stem in (args.lesson, f"{args.lesson}.ipynb")), None)
    if path is None:
        raise EduError(f"there is no lesson {args.lesson!r}; there are {', '.join(p.stem for p in sorted(folder.glob('*.ipynb')))}")
    notebook = json.loads(languages.own(path).read_text(encoding="utf-8"))
    target = Path(args.out or f"{path.stem}.html")
    found = questions(notebook)
    html_page.write(target, page(title(notebook), found))
    print(f"{target}: {len(found)} questions")


def title(notebook):
    return versions.text(notebook["cells"][0]).splitlines()[0].lstrip("# ")


def questions(notebook):
    """Return [(the text of a question, whether it is answered by code)]: the text cells above each question's cell."""
    found, above = [], []
    for cell in notebook["cells"]:
        if versions.is_question(cell):
            found.append((asked(above[-1]) if above else "", "def my_" in versions.text(cell)))
        elif cell.get("cell_type") == "markdown":
            above.append(versions.text(cell))
    return found


def asked(text):
    """The part of a text cell from its last heading on: what stands before speaks of the question before."""
    return text[max((found.start() for found in re.finditer(r"^#+ ", text, re.MULTILINE)), default=0) :]


def page(name, questions):
    """Return the worksheet as HTML, without scripts."""
    sections = "".join(f"<section>{to_html(text)}{room(code)}</section>" for text, code in questions)
    head = f"<h1>{html.escape(name)}</h1><p>{said('Pseudonym: {} Date: {}', '_' * 20, '_' * 12)}</p>"
    return html_page.frame(name, STYLE, f"{head}{sections}", language=languages.chosen())


def room(code):
    """An empty box: a large one for code, a small one for a letter and its reason."""
    words = said("Your lines:") if code else said("Your answer, and why:")
    return f"{words}<div class='room{' write' if code else ''}'></div>"
