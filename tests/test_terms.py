"""The terms of the course: one clear sentence each, and the lesson that really explains it.

Lessons, hints and the glossary take their sentences from notebooks/terms.csv.
"""

import csv
import json
import re
from pathlib import Path

import pytest

from edu_diffusion.widgets.pipeline_map.boxes import PARTS

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
COLUMNS = ["term", "sentence", "symbol", "lesson"]
LONGEST = 200  # characters of a sentence


def table(path=NOTEBOOKS / "terms.csv"):
    """(columns, rows as dictionaries) of the file."""
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames, list(reader)


def lesson_texts(folder=NOTEBOOKS):
    """{number of the lesson: its prose, without the marks of emphasis, on one line}"""
    found = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        found[path.name[:2]] = " ".join(re.sub("[*`]", "", prose).split())
    return found


def problems(rows, texts):
    """What is wrong with the table, in words."""
    terms = [row["term"] for row in rows]
    if terms != sorted(terms, key=str.casefold):
        yield "the terms are not sorted"
    if len({term.casefold() for term in terms}) < len(terms):
        yield "a term occurs twice"
    for row in rows:
        term, sentence, lesson = row["term"], row["sentence"], row["lesson"]
        if not term.strip() or not sentence.strip():
            yield f"{term!r} has no sentence"
        elif len(sentence) > LONGEST or not sentence.endswith(".") or not sentence[0].isupper():
            yield f"{term!r} is not explained by one sentence of at most {LONGEST} characters"
        if lesson and lesson not in texts:
            yield f"{term!r} names the lesson {lesson!r}, which does not exist"
        elif lesson and not occurs(term, texts[lesson]):
            yield f"{term!r} does not occur in lesson {lesson}"


def occurs(term, text):
    """Whether a term, or its plural, is a word of the text."""
    return re.search(rf"(?<!\w){re.escape(term)}(?:s|es)?(?!\w)", text, re.IGNORECASE) is not None


def test_columns():
    columns, rows = table()
    assert columns == COLUMNS and len(rows) > 70
    assert all(None not in row and None not in row.values() for row in rows), "every row has four cells"


def test_every_term_is_explained_once_and_in_the_lesson_named():
    assert not list(problems(table()[1], lesson_texts()))


def test_every_term_of_the_pipeline_map_is_there():
    assert {part.term for part in PARTS.values()} <= {row["term"] for row in table()[1]}


GOOD = {"term": "noise", "sentence": "Random numbers.", "symbol": "eps", "lesson": "01"}


@pytest.mark.parametrize(
    "rows, words",
    [
        ([GOOD], None),
        ([GOOD | {"lesson": ""}], None),
        ([GOOD | {"sentence": " "}], "no sentence"),
        ([GOOD | {"sentence": "Random " * 30 + "numbers."}], "at most 200"),
        ([GOOD | {"sentence": "random numbers"}], "one sentence"),
        ([GOOD | {"lesson": "77"}], "does not exist"),
        ([GOOD | {"term": "sampler"}], "does not occur in lesson 01"),
        ([GOOD, GOOD | {"term": "Noise"}], "occurs twice"),
        ([GOOD, GOOD | {"term": "mask", "lesson": ""}], "not sorted"),
    ],
)
def test_the_check_itself(rows, words):
    found = list(problems(rows, {"01": "Add noises to a picture, as samplers2 do."}))
    assert len(found) == (words is not None) and all(words in problem for problem in found)
