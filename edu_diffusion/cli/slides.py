"""The verb `slides`: a lesson for the teacher's projector, one HTML file that needs no network.

No text of the lesson is shortened; of its code, what is short enough to be read from the last row is shown. The answer to a
question has a slide of its own, after the cells that show it, and stays closed until a key is pressed.
"""

import itertools
import re
import textwrap
from pathlib import Path
from typing import NamedTuple

from edu_diffusion.errors import EduError, said

from . import answers, assign, html_page, languages, lessons, remedies, slides_page, versions

MOST_LINES = 12  # of code on a slide
OPTION = re.compile(r"^\* \*\*([A-Z])\*\*:? +(.*(?:\n +.*)*)", re.MULTILINE)
MARKER = re.compile(rf"^[ \t]*({versions.BEGIN}|{versions.END})[ \t]*\n?", re.MULTILINE)
DOCSTRING = re.compile(r'^[ \t]*"""[\s\S]*?"""[ \t]*\n', re.MULTILINE)


class Slide(NamedTuple):
    """A title and the blocks of HTML below it; the page divides a slide that is too long between two of them."""

    title: str
    blocks: list
    joins: bool = False  # the text before it, where both fit on one slide


def run(args, rest=()):
    """Write the page, and say where."""
    folder = lessons.source()
    (name,) = assign.chosen(folder, [args.lesson])
    lesson, target = languages.own(folder / f"{name}.ipynb"), Path(args.out or f"{name}_slides.html")
    if lesson.parent == folder:
        languages.switch(languages.ENGLISH)  # its headings and remarks are told apart by their words
    found = slides(cells_of(lesson), args.further)
    html_page.write(target, slides_page.page(found))
    print(f"{target}: {len(found)} slides, more where one is long; open it in a browser, and press ? there for the keys")


def cells_of(path):
    """Return the cells of a lesson. Raises EduError for a damaged file."""
    try:
        return answers.notebook_cells(path)
    except lessons.Damaged as damage:
        raise EduError(f"{path.name} is {damage}; {remedies.restore(path)}") from None


def slides(cells, further=False):
    """Return the slides of a lesson. further: with "Going further"."""
    found, asked, options, told = [], {}, {}, False
    chosen = list(parts(cells, further))
    for number, (title, part) in enumerate(chosen, 1):
        if isinstance(part, str):
            found.append(Slide(title, [slides_page.text(part)]))
            options = dict(OPTION.findall(part))
        elif name := versions.answer_of(part):
            found[-1].blocks.extend(stub(part))
            asked[name] = title, part, options
        elif (name := versions.checked(part)) in asked:
            title, question, offered = asked[name]
            found.append(Slide(title, [slides_page.closed(answer(question, name, offered, part))]))
        else:
            add(found, Slide(title, shown(part, options if is_asked_about(chosen[number:]) else None), told))
        told = isinstance(part, str) and "?" not in part
    return found


def is_asked_about(following):
    """Whether the answer to a question stands below, before any other text: then the question is about what is shown."""
    cells = itertools.takewhile(lambda part: not isinstance(part, str), (part for _, part in following))
    return any(map(versions.is_question, cells))


def add(found, slide):
    """Add a slide; nothing but a remark goes to the slide before."""
    if found and all(block.startswith(slides_page.REMARK) for block in slide.blocks):
        found[-1].blocks.extend(slide.blocks)
    else:
        found.append(slide)


def parts(cells, further=False):
    """Yield (title, text or code cell), without what stands between "Going further" and the end of the lesson."""
    title, left_out, further_on, end = "", False, said("Going further"), said("What you can say now")  # headings of every lesson
    for cell in cells:
        for heading, part in sections(versions.text(cell)) if cell["cell_type"] == "markdown" else [("", cell)]:
            title = heading or title
            left_out = not further and (title == further_on or left_out and title != end)
            if part and not left_out:
                yield title, part


def sections(text):
    """Yield (heading or "", the text below it) of a text cell."""
    for piece in re.split(r"^(?=#+ )", text, flags=re.MULTILINE):
        heading, rest = re.fullmatch(r"(?:#+ +(.*))?([\s\S]*)", piece).groups()
        yield heading or "", rest.strip()


# ---------------------------------------------------------------- code cells


def shown(cell, options):
    """Return the blocks of a code cell: its lines and its outputs. options: of a question about them, None if there is none."""
    source = useful(versions.without_solution(versions.text(cell))).strip()
    blocks = [] if is_imports(source) else [code(source)]
    for output in merged(cell.get("outputs", ())):
        blocks += output_blocks(output, options)
    return blocks


def useful(text):
    """Return code, or what it prints, without lines that are of no use to a class."""
    of_no_use = "# NBVAL_CHECK_OUTPUT", languages.pattern(said("From here on your my_{} is used."))
    return re.sub(rf"^(?:{'|'.join(of_no_use)})\n", "", text, flags=re.MULTILINE)


def is_imports(source):
    return 2 * len(re.findall(r"^(?:import|from) ", source, re.MULTILINE)) > len(source.splitlines())


def code(source):
    """Return lines of code; of longer ones only the name: what they define, or else the figure that they draw."""
    lines = source.splitlines()
    if len(lines) <= MOST_LINES:
        return slides_page.lines(source)
    names = re.findall(r"^(?:def|class) (\w+)", source, re.M) or re.findall(r"^(figures\.(?!source)\w+)\(", source, re.M)
    return slides_page.remark(names, len(lines))


def merged(outputs):
    """Yield outputs, those that print one after the other as one."""
    for prints, some in itertools.groupby(outputs, lambda output: "text" in output):
        some = list(some)
        yield from [{"text": "".join(joined(output["text"]) for output in some)}] if prints else some


def output_blocks(output, options):
    """Return what an output shows, as blocks."""
    data = {kind: joined(value) for kind, value in output.get("data", {}).items()}
    if "text" in output:
        printed = useful(joined(output["text"])).rstrip()
        return [slides_page.lines(printed, "output")] if printed else []
    if "<img " in data.get("text/html", ""):
        return [slides_page.figure(data["text/html"], options)]
    if data.get("text/html", "").startswith("<details>") or "```python" in data.get("text/markdown", ""):
        return our_code(data.get("text/html") or data["text/markdown"])
    if "text/markdown" in data:
        return [slides_page.text(data["text/markdown"])]
    if "text/html" in data:
        return [slides_page.listed(data["text/html"])]
    return [slides_page.lines(data["text/plain"], "output")] if "text/plain" in data else []


def our_code(markup):
    """Return the formula and the code, without its docstring, of what figures.source shows."""
    formula, source = slides_page.source(markup)
    return [*([slides_page.text(formula)] if formula else []), code(DOCSTRING.sub("", source))]


def joined(value):
    """A text of a notebook's file, which may hold it as a list of lines."""
    return value if isinstance(value, str) else "".join(value)


# ---------------------------------------------------------------- questions


def stub(cell):
    """Return what a learner gets to write a function into, or to repair; a letter or a number needs nothing."""
    source = versions.without_solution(versions.text(cell)).strip().removesuffix(f"\n{versions.STUB}").strip()
    return [slides_page.lines(source)] if "def my_" in source else []


def answer(cell, name, options, check):
    """Return the blocks of a right answer, with what the check says about it."""
    right = answers.constant(versions.text(cell), f"my_{name}")
    if isinstance(right, str):
        blocks = [slides_page.text(f"**{right}** {options.get(right, '')}")]
    else:
        blocks = [slides_page.lines(solution(versions.text(cell)))]
    count = languages.pattern(said("{} of {} right in this lesson"))
    told = [joined(output["data"]["text/plain"]) for output in check.get("outputs", ()) if "data" in output]
    return blocks + [slides_page.sentence(re.sub(rf" *\({count}\)$", "", words)) for words in told]


def solution(source):
    """Return a right function, of a longer one the lines that were asked for; or the line of a number."""
    whole = MARKER.sub("", source).strip()
    if whole.count("def my_") == 1 and len(whole.splitlines()) <= MOST_LINES:
        return whole
    return "\n".join(textwrap.dedent(MARKER.sub("", region[0])).rstrip() for region in versions.REGION.finditer(source))
