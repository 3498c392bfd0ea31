"""What a teacher gets: a plan for each lesson, two pages, routes of lessons that exist, worksheets."""

import json
import re

import pytest

from edu_diffusion.cli import main, typeset, versions, worksheet
from edu_diffusion.data import files
from edu_diffusion.install import environment

FOLDER = files.folder("notebooks")
LESSONS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
NUMBERS = [name[:2] for name in LESSONS]
PARTS = ("**Goals.**", "prepare", "minutes |", "oral questions", "lost", "discussion")


@pytest.fixture
def teaching():
    return (FOLDER / "TEACHING.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LESSONS)
def test_every_lesson_has_a_plan_of_one_page(name):
    text = (FOLDER / "plans" / f"{name}.md").read_text(encoding="utf-8")
    assert not [part for part in PARTS if part.lower() not in text.lower()]
    assert len(text.splitlines()) <= 66


@pytest.mark.parametrize("name", LESSONS)
def test_a_plan_speaks_of_every_question_that_offers_options(name):
    text = (FOLDER / "plans" / f"{name}.md").read_text(encoding="utf-8")
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    asked = [versions.answer_of(cell) for cell in cells if '= ""' in versions.text(cell) and versions.is_question(cell)]
    assert not [question for question in asked if question not in text]


def test_two_pages(teaching):
    assert len(teaching.splitlines()) <= 130


def rows(teaching, heading):
    """The rows of the table under a heading, as lists of cells."""
    table = teaching.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    return cells[2:]


def kinds(teaching):
    """{kind: numbers of its lessons}, from "Core lessons: 00 to 08, 10, 11. Choice: 09. For engineers: 13."."""
    line = next(line for line in teaching.splitlines() if line.startswith("Core lessons:"))
    found = {}
    for part in filter(str.strip, line.split(".")):
        kind, listed = part.strip().split(":")
        spans = re.findall(r"(\d\d)(?: to (\d\d))?", listed)
        found[kind] = [f"{n:02}" for first, last in spans for n in range(int(first), int(last or first) + 1)]
    return found


def test_every_lesson_is_of_one_kind(teaching):
    assert list(kinds(teaching)) == ["Core lessons", "Choice", "For engineers"]
    assert sorted(sum(kinds(teaching).values(), [])) == NUMBERS


@pytest.mark.parametrize("sessions, fewest", [("1", 3), ("6", 10), ("12", 12)])
def test_the_routes_name_lessons_of_the_core_or_of_choice(sessions, fewest, teaching):
    route = dict(rows(teaching, "Routes"))[sessions]
    named = set(re.findall(r"\b\d\d\b", route))
    assert fewest <= len(named) and named <= {*kinds(teaching)["Core lessons"], *kinds(teaching)["Choice"]}


def test_a_part_of_lesson_03_that_is_named_is_there(teaching):
    named = [
        cell for part in ("Routes", "The first session, 60 minutes") for row in rows(teaching, part) for cell in row if "03" in cell
    ]
    quoted = {name for cell in named for name in re.findall('"([^"]+)"', cell)}
    assert quoted and all(f'"## {name}\\n"' in (FOLDER / "03_guidance.ipynb").read_text(encoding="utf-8") for name in quoted)


def test_each_way_of_a_room_says_whether_it_was_tried_and_when(teaching):
    tried = [row[-1] for row in rows(teaching, "Your room, your way")]
    assert len(tried) >= 6
    assert not [words for words in tried if not re.match(r"yes, 20\d\d-\d\d-\d\d|untried \(20\d\d-\d\d-\d\d\)", words)]


@pytest.mark.parametrize("name", LESSONS)
def test_a_worksheet_asks_and_does_not_answer(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    assert main.main(["worksheet", name, "--out", str(tmp_path / "sheet.html")]) == 0
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    asked = [cell for cell in cells if versions.is_question(cell)]
    assert page.count("<section>") == len(asked) and f"{len(asked)} questions" in capsys.readouterr().out
    assert "SOLUTION" not in page and "<script" not in page and "$" not in page


def test_an_unknown_lesson_is_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    assert main.main(["worksheet", "99_none"]) == 2
    assert "no lesson '99_none'; there are 00_start" in capsys.readouterr().err


def test_room_for_code_is_larger():
    lesson = {
        "cells": [
            {"cell_type": "markdown", "source": "It was B.\n# 1\n$x_0$ or **B**?"},
            {"cell_type": "code", "metadata": {"tags": ["exercise"]}},
        ]
    }
    lesson["cells"][1]["source"] = "def my_f(x):\n    return x"
    lesson["cells"].insert(1, {"cell_type": "code", "source": "ed.arrange('f')", "metadata": {}})  # lines to arrange stand between
    ((text, code),) = worksheet.questions(lesson)
    assert code and "write" in worksheet.room(code) and "write" not in worksheet.room(False)
    assert "It was B" not in text
    drawn = worksheet.to_html(text)
    assert '<img alt="x_0"' in drawn and "svg+xml;base64," in drawn and " or <strong>B</strong>" in drawn
    assert typeset.formula(r"\nonsense{x}") == r"`\nonsense{x}`"
