"""Two versions of a lesson from one source: the teacher's, with solutions, and the learner's. Standard library only.

A question is a cell tagged `exercise` that gives a value to my_<name>, by `def` or `=`. What the learner has to write stands
between the lines ### BEGIN SOLUTION and ### END SOLUTION, as nbgrader wants it; in the learner's version one line takes its place.
The same marks may stand in a cell without the tag: there learners put what they wrote in an earlier lesson, and nothing is asked.
From the first of these cells on, the learner's version has no outputs: they would show the answers.
"""

import copy
import re

STUB = "pass  # your code here"
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
REGION = re.compile(rf"^([ \t]*){BEGIN}[ \t]*\n.*?^[ \t]*{END}[ \t]*$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r"^(?:def |class )?my_(\w+)(?=\(|:| *=[^=])", re.MULTILINE)
CHECK = re.compile(r'^ed\.check\("(\w+)"', re.MULTILINE)
GRADED = {"schema_version": 3, "task": False}


def learners(notebook):
    """Return the learner's version of a notebook (a dict): stubs in place of solutions, no outputs from the first one on."""
    notebook, asked = copy.deepcopy(notebook), False
    for cell in notebook["cells"]:
        asked = asked or is_written(cell)
        if is_written(cell):
            cell["source"] = lines_like(cell["source"], without_solution(text(cell)))
        if asked and cell.get("cell_type") == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def is_question(cell):
    """Whether a cell is where a learner answers."""
    tags = cell.get("metadata", {}).get("tags", [])
    return isinstance(tags, list) and "exercise" in tags


def is_written(cell):
    """Whether a learner writes in a cell: an answer, or the functions of an earlier lesson."""
    return is_question(cell) or (cell.get("cell_type") == "code" and BEGIN in text(cell))


def text(cell):
    """The source of a cell as one text; a notebook's file may hold it as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def lines_like(source, text):
    """Return a text in the form that a cell's source has: a text, or a list of lines."""
    return text if isinstance(source, str) else text.splitlines(keepends=True)


def without_solution(source):
    """Return a cell's source with the stub in place of each solution."""
    return REGION.sub(rf"\1{STUB}", source)


def answer_of(cell):
    """The name of the question that a cell answers, such as q_sample where it defines my_q_sample; None for other cells."""
    found = ANSWER.findall(without_solution(text(cell))) or ANSWER.findall(text(cell))
    return found[-1] if is_question(cell) and found else None


def checked(cell):
    """The name of the question whose answer a cell checks, or None."""
    found = CHECK.search(text(cell))
    return found[1] if found and cell.get("cell_type") == "code" and not is_question(cell) else None


def nbgrader(cell):
    """Return nbgrader's metadata for a cell: a solution, a check that gives one point, or None for other cells."""
    if name := answer_of(cell) or (is_written(cell) and cell.get("id")):
        return {"grade": False, "grade_id": name, "locked": False, "solution": True, **GRADED}
    if name := checked(cell):
        return {"grade": True, "grade_id": f"check-{name}", "locked": True, "points": 1, "solution": False, **GRADED}
    return None
