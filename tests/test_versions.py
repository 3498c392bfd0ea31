"""Two versions of a lesson from one source: what a learner's copy contains, and nbgrader's marks."""

import copy

import pytest

from edu_diffusion.cli import versions

WRITE = "def my_f(x):\n    y = x\n    ### BEGIN SOLUTION\n    return 2 * y\n    ### END SOLUTION\n"
CHOOSE = 'my_vote = ""  # A or B\n### BEGIN SOLUTION\nmy_vote = "B"\n### END SOLUTION'


def cell(source, asked=False, kind="code"):
    outputs = {"outputs": [{"output_type": "stream"}], "execution_count": 3} if kind == "code" else {}
    return {"cell_type": kind, "source": source, "metadata": {"tags": ["exercise"]} if asked else {}} | outputs


@pytest.fixture
def notebook():
    cells = [cell("before"), cell("# text", kind="markdown"), cell(WRITE, True), cell('ed.check("f")'), cell(CHOOSE, True)]
    return {"cells": cells, "metadata": {}}


def test_a_stub_takes_the_place_of_the_solution(notebook):
    mine = versions.learners(notebook)["cells"]
    assert mine[2]["source"] == "def my_f(x):\n    y = x\n    pass  # your code here\n"
    assert mine[4]["source"] == 'my_vote = ""  # A or B\npass  # your code here'
    assert versions.STUB in mine[2]["source"]


def test_from_the_first_question_on_there_are_no_outputs(notebook):
    before = copy.deepcopy(notebook)
    mine = versions.learners(notebook)["cells"]
    assert mine[0]["outputs"] and all(not c["outputs"] and c["execution_count"] is None for c in mine[2:])
    assert "outputs" not in mine[1] and notebook == before


def test_a_source_in_lines_stays_in_lines(notebook):
    notebook["cells"][2]["source"] = WRITE.splitlines(keepends=True)
    assert versions.learners(notebook)["cells"][2]["source"][-1] == "    pass  # your code here\n"


def pasted(notebook):
    """A notebook with a cell before its first question that takes a function of an earlier lesson."""
    own = cell(f"# Paste my_g here:\n{WRITE.replace('my_f', 'my_g')}") | {"id": "pieces"}
    return notebook | {"cells": [notebook["cells"][0], own, cell("my_g(1)"), *notebook["cells"][1:]]}


def test_functions_of_an_earlier_lesson_are_left_out_too_and_ask_nothing(notebook):
    first, own, after, *_ = versions.learners(pasted(notebook))["cells"]
    assert own["source"] == "# Paste my_g here:\ndef my_g(x):\n    y = x\n    pass  # your code here\n"
    assert first["outputs"] and not own["outputs"] and not after["outputs"]
    teachers = pasted(notebook)["cells"][1]
    assert versions.answer_of(teachers) is None and versions.nbgrader(teachers)["grade_id"] == "pieces"
    assert versions.nbgrader(teachers)["solution"] and not versions.nbgrader(teachers)["grade"]
    assert versions.nbgrader(cell(f"{versions.BEGIN} in a text", kind="markdown") | {"id": "text"}) is None


def test_the_stub_is_what_the_check_looks_for():
    from edu_diffusion.exercises.exercise import STUB

    assert versions.STUB == STUB


def test_the_answers_name(notebook):
    cells = notebook["cells"]
    assert [versions.answer_of(c) for c in cells] == [None, None, "f", None, "vote"]
    assert [versions.checked(c) for c in cells] == [None, None, None, "f", None]
    assert versions.answer_of(cell("class my_Step(Base):\n    pass", True)) == "Step"
    assert versions.answer_of(cell("x = 3", True)) is None


def test_marks_for_nbgrader(notebook):
    marks = [versions.nbgrader(c) for c in notebook["cells"]]
    assert marks[0] is marks[1] is None
    assert marks[2]["solution"] and not marks[2]["grade"] and marks[2]["grade_id"] == "f"
    assert marks[3] == marks[3] | {"grade": True, "points": 1, "locked": True, "solution": False, "grade_id": "check-f"}
