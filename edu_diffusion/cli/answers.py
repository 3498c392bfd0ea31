"""Take a learner's answers out of notebooks, without running anything. Standard library only.

An answer is the cell whose nbgrader grade_id is the question's name, or that has the id of the teacher's cell, or the last one
that gives a value to my_<name>; the first of these that is answered counts.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from . import lessons, versions

MAGIC = re.compile(r"^\s*[%!].*$|^.*\?\s*$", re.MULTILINE)  # IPython's own commands are no Python


USE = re.compile(r'^(\w+) *= *ed\.use\("(\w+)"\)', re.MULTILINE)


class Question(NamedTuple):
    """One question of a lesson as its source asks it.

    cell: the cell's id. stub: the learner's version of the cell. imports: the lesson's first code cell. uses: {name in the
    lesson: question whose function it is}, from lines such as noise_it = ed.use("q_sample").
    """

    lesson: str
    name: str
    cell: str
    stub: str
    imports: str
    uses: dict


def questions(folder, names):
    """Return {lesson: {name: Question}} for the questions in the lessons' sources that have one of these names."""
    found = {}
    for path in sorted(Path(folder).glob("*.ipynb")):
        cells = notebook_cells(path)
        imports = next((versions.text(cell) for cell in cells if cell.get("cell_type") == "code"), "")
        uses = dict(pair for cell in cells for pair in USE.findall(versions.text(cell)) if pair[1] in names)
        asked = {name: cell for cell in cells if (name := versions.answer_of(cell)) in names}
        found[path.stem] = {
            name: Question(path.stem, name, cell.get("id", ""), versions.without_solution(versions.text(cell)), imports, uses)
            for name, cell in asked.items()
        }
    return {lesson: asked for lesson, asked in found.items() if asked}


def notebook_cells(path):
    """Return the cells of a notebook's file. Raises lessons.Damaged."""
    return lessons.notebook_in(path.read_bytes())["cells"]


def lesson_of(path, cells, asked):
    """Return which lesson a notebook is: by its name, else the lesson with most of its questions; None for another notebook."""
    named = [lesson for lesson in asked if path.stem.lower().startswith(lesson)]
    if named:
        return named[0]
    counts = {lesson: sum(answer(cells, question) is not None for question in own.values()) for lesson, own in asked.items()}
    best = max(counts, key=counts.get, default=None)
    return best if best and counts[best] else None


def answer(cells, question):
    """Return the source of the cell that answers a question; "" where nothing is written yet, None where there is no such cell."""
    found = [versions.text(cell) for cell in candidates(cells, question)]
    written = [source for source in found if is_written(source, question)]
    return written[0] if written else "" if found else None


def candidates(cells, question):
    """Return the cells that may answer a question, the likeliest first."""
    code = [cell for cell in cells if cell.get("cell_type") == "code"]
    graded = [cell for cell in code if grade_id(cell) == question.name]
    same = [cell for cell in code if question.cell and cell.get("id") == question.cell]
    gives = re.compile(rf"^(?:async )?(?:def |class )?my_{question.name}\b *(?:\(|:|=[^=])", re.MULTILINE)
    own = [cell for cell in reversed(code) if gives.search(versions.text(cell))]
    return [*graded, *same, *own]


def grade_id(cell):
    graded = cell.get("metadata", {}).get("nbgrader")
    return graded.get("grade_id") if isinstance(graded, dict) else None


def is_written(source, question):
    """Whether a cell is more than the learner's copy of it: something was written, and the stub is gone from the function."""
    if bare(source) in ("", bare(question.stub)):
        return False
    parts = definitions(source, question.name)
    lines = plain(source).splitlines()[parts[-1].lineno - 1 : parts[-1].end_lineno] if parts else []
    return not any(versions.STUB in line for line in lines)


def bare(source):
    """Return a cell without its comments, which are in the learner's language; as it is, without spaces, where it is no Python."""
    return "\n".join(map(ast.unparse, statements(source))) or "".join(source.split())


def definitions(source, name):
    """Return the top-level functions of a cell that have the answer's name."""
    return [node for node in statements(source) if isinstance(node, ast.FunctionDef) and node.name == f"my_{name}"]


def statements(source):
    """Return the statements of a cell, [] where it is no Python."""
    try:
        return ast.parse(plain(source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def plain(source):
    """Return a cell's source without IPython's own commands, line by line as before."""
    return MAGIC.sub("", source)


def constant(source, own):
    """Return the text or number that a cell gives to a name, None unless it stands there as such and nothing else does."""
    values = [node.value for node in statements(source) if isinstance(node, ast.Assign) and own in map(ast.unparse, node.targets)]
    others = [node for node in statements(source) if not isinstance(node, ast.Assign | ast.Expr | ast.Pass)]
    if not values or others or not isinstance(values[-1], ast.Constant):
        return None
    return values[-1].value if type(values[-1].value) in (str, int, float) else None


def arranged(source, name):
    """Return the letters in my_<name> = ed.arrange("name", "BAC"), None for an answer that was written."""
    for node in reversed(statements(source)):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and f"my_{name}" in map(ast.unparse, node.targets):
            words = [argument.value for argument in node.value.args if isinstance(argument, ast.Constant)]
            if ast.unparse(node.value.func).endswith("arrange") and len(words) == 2 and words[0] == name:
                return str(words[1])
    return None
