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


def test_the_routes_name_lessons_that_exist(teaching):
    routes = teaching.split("## Routes")[1].split("Core lessons")[0]
    rows = [row for row in routes.splitlines() if re.match(r"\| (1|6|12) ", row)]
    assert len(rows) == 3
    named = set(re.findall(r"\b\d\d\b", " ".join(row.split("|")[2] for row in rows)))
    assert len(named) > 8 and named <= set(NUMBERS)


def test_what_was_not_tried_says_so(teaching):
    rows = re.findall(r"^\| (?!you have|---)(.*) \|$", teaching.split("## Your room")[1].split("## The first session")[0], re.M)
    assert len(rows) >= 5 and all(row.rsplit("|")[-1].strip().startswith(("yes, 20", "untried")) or "yes" in row for row in rows)


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
