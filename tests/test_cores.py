"""A lesson's core runs alone: it is the beginning of its lesson, and no lesson needs a file that another one wrote.

A lesson runs from top to bottom in an empty folder (test_untouched.py and `render`). So does its core, if it is a prefix of the
cells: what is shown here. And no run in an empty folder shows that a lesson opens files which another one left there.
"""

import ast
import builtins
import json
import re

import pytest

from edu_diffusion.cli import versions
from edu_diffusion.data import files

PATHS = sorted(files.folder("notebooks").glob("*.ipynb"))
LESSONS = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
FURTHER = "Going further"
CLOSING = ("For your report", "What you can say now", "References")
OWN = re.compile(r"my_[\w.-]+")  # all that lessons write is called my_..., see test_notebooks.py
WRITERS = set(
    "save write write_text write_bytes save_file save_quantized animation copy convert to_single_file rewritten rmtree open".split()
)


def cells(path):
    return json.loads(path.read_bytes())["cells"]


def headings(some):
    """(number of the cell, heading) of every "## heading"."""
    texts = [versions.text(cell) if cell["cell_type"] == "markdown" else "" for cell in some]
    return [(i, heading) for i, text in enumerate(texts) for heading in re.findall(r"^## (.+)$", text, re.M)]


def cut(some):
    """How many cells the core has."""
    return next(i for i, heading in headings(some) if heading == FURTHER)


def code(some):
    return [ast.parse(versions.text(cell)) for cell in some if cell["cell_type"] == "code"]


# ---------------------------------------------------------------- a core is a prefix


@LESSONS
def test_after_the_core_come_only_further_and_closing_parts(path):
    some = cells(path)
    assert [heading for _, heading in headings(some)].count(FURTHER) == 1
    assert versions.text(some[cut(some)]).startswith(f"## {FURTHER}"), "it begins its cell"
    after = [heading for i, heading in headings(some) if i >= cut(some)]
    assert after[0] == FURTHER and after[1:] == [heading for heading in CLOSING if heading in after[1:]]
    assert not {heading for i, heading in headings(some) if i < cut(some)} & set(CLOSING)


@LESSONS
def test_what_a_core_asks_it_checks(path):
    core = cells(path)[: cut(cells(path))]
    asked = [versions.answer_of(cell) for cell in core if versions.is_question(cell)]
    assert len(asked) >= 2 and sorted(asked) == sorted(name for name in map(versions.checked, core) if name)


@LESSONS
def test_the_part_for_the_report_needs_no_more_than_the_core(path):
    some = cells(path)
    start = next((i for i, heading in headings(some) if heading == CLOSING[0]), None)
    stored, loaded = stored_and_loaded(code(some[: cut(some)])), stored_and_loaded(code(some[start:]) if start else [])
    assert loaded[1] <= stored[0] | loaded[0] | set(dir(builtins))


def stored_and_loaded(trees):
    """The names that some code gives a value to, and those it uses."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    stored = {
        alias.asname or alias.name.split(".")[0] for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) for alias in n.names
    }
    stored |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    names = [n for n in nodes if isinstance(n, ast.Name)]
    return stored | {n.id for n in names if isinstance(n.ctx, ast.Store)}, {n.id for n in names if isinstance(n.ctx, ast.Load)}


# ---------------------------------------------------------------- no file of another lesson


def own_files(node):
    """The files and folders beside the lesson that some code names, without what is inside them: {"my_models", "my_noise.gif"}."""
    texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return {OWN.match(text)[0] for text in texts if OWN.match(text)}


def writes(node):
    """Whether a node may write a file: a call of a writer, run=, or a variable called run."""
    if isinstance(node, ast.Call):
        return ast.unparse(node.func).rsplit(".", 1)[-1] in WRITERS
    return (isinstance(node, ast.keyword) and node.arg == "run") or (isinstance(node, ast.Assign) and names(node) == ["run"])


def names(assignment):
    return [ast.unparse(target) for target in assignment.targets]


def opened_unwritten(trees):
    """The own files of a lesson whose first cell writes nothing: they would have to be there already."""
    known, found = set(), set()
    for tree in trees:
        known |= {name for node in ast.walk(tree) if writes(node) for name in own_files(node)}
        found |= own_files(tree) - known
    return {name for name in found if not name.endswith((".", ":"))}


@LESSONS
def test_a_lesson_opens_no_own_file_before_it_writes_it(path):
    assert not opened_unwritten(code(cells(path)))


def test_no_two_lessons_name_the_same_file():
    owners = {}
    for path in PATHS:
        for name in {name.rstrip(":.") for tree in code(cells(path)) for name in own_files(tree)}:
            owners.setdefault(name, []).append(path.stem)
    assert len(owners) > 30 and not {name: some for name, some in owners.items() if len(some) > 1}


@pytest.mark.parametrize(
    "sources, found",
    [
        (["train(run='my_run')", "load('my_run/model')"], set()),
        (["save_file(x, 'my_x.bin')\nload('my_x.bin')"], set()),
        (["load('my_run/model')"], {"my_run"}),
        (["load('my_run/model')", "train(run='my_run')"], {"my_run"}),
        (["x = load_file('my_x.bin')", "x.save('my_y.png')"], {"my_x.bin"}),
    ],
)
def test_the_scan_tells_written_from_opened(sources, found):
    assert opened_unwritten(map(ast.parse, sources)) == found
