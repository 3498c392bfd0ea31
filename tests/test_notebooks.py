"""The rules for committed lessons: complete, tidy, small, described, in short cells."""

import ast
import re
import statistics
from pathlib import Path

import nbformat
import pytest

from edu_diffusion import exercises
from edu_diffusion.cli import languages, lessons, render, versions

FOLDER = Path(__file__).parents[1] / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))
HOME = re.compile(r"/(?:home|Users|root|tmp|work|mnt|opt|usr)/|[A-Z]:\\\\?[A-Za-z]")
ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
TAGS = {"exercise"}
CORE = 40  # cells before "Going further"
WIDEST = 990  # pixels: a wider picture shrinks on a page of 1024, and its captions with it
PANEL = 128  # pixels that one image of several needs from the left edge to the next


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [(cell.id, output) for cell in code_cells(notebook) for output in cell.outputs]


def lengths(notebook):
    return [len(cell.source.splitlines()) for cell in code_cells(notebook)]


def texts(notebook):
    """Everything in a notebook that is read as text: cells, and outputs without pictures."""
    for cell in notebook.cells:
        yield cell.source
    for _, output in outputs(notebook):
        yield output.get("text", "")
        yield from (
            re.sub(r"data:image/png;base64,[\w+/=]*", "", v) for k, v in output.get("data", {}).items() if k.startswith("text/")
        )


def faults(notebook):
    """Yield what is wrong with a notebook, as sentences."""
    yield from faults_of_form(notebook)
    yield from faults_of_outputs(notebook)
    yield from faults_of_pictures(notebook)
    yield from faults_of_style(notebook)
    yield from faults_of_questions(notebook)


def faults_of_form(notebook):
    ids = [cell.id for cell in notebook.cells]
    if len(set(ids)) != len(ids) or not all(re.fullmatch("[a-z0-9-]{1,24}", i) for i in ids):
        yield "cell ids are not unique, short and plain"
    if notebook.metadata != render.METADATA:
        yield f"metadata is {dict(notebook.metadata)}"
    if any(set(cell.metadata) - {"tags", "nbgrader"} or set(cell.metadata.get("tags", [])) - TAGS for cell in notebook.cells):
        yield "a cell has other metadata than the known tags"
    if any(cell.metadata.get("nbgrader") != versions.nbgrader(cell) for cell in notebook.cells):
        yield "a cell's nbgrader metadata is not what render writes"
    if notebook.nbformat != 4 or notebook.nbformat_minor < 5:
        yield "the format is older than 4.5"
    for text in texts(notebook):
        if HOME.search(text) or ADDRESS.search(text):
            yield f"a path or address of one machine: {(HOME.search(text) or ADDRESS.search(text))[0]}"


def faults_of_outputs(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"the cells were not run once each, in order: {counts}"
    if not outputs(notebook):
        yield "there are no outputs"
    compared = {cell.id for cell in code_cells(notebook) if cell.source.startswith("# NBVAL_CHECK_OUTPUT")}
    for name, output in outputs(notebook):
        data = output.get("data", {})
        if output.output_type == "error" or output.get("name") == "stderr":
            yield f"{name} shows an error or a warning"
        if name in compared and ("image/png" in data or "data:image" in data.get("text/html", "")):
            yield f"{name} compares a picture, which differs from machine to machine"
        if any(kind.startswith("image/") for kind in data) and not described(data.get("text/html", "")):
            yield f"{name} shows a picture without alt text"
        if any("widget" in kind for kind in data):
            yield f"{name} has a widget's model, which is gone with the kernel"
        if re.search(r"<script|\bon\w+=|javascript:", data.get("text/html", ""), re.I):
            yield f"{name} has a script"


def faults_of_pictures(notebook):
    """Yield pictures that are too wide for a page, or whose images are too small to be seen; rows without columns= are short."""
    for cell in code_cells(notebook):
        columns = max(map(int, re.findall(r"\bcolumns=(\d+)", cell.source)), default=1)
        for output in cell.outputs:
            for width in map(int, re.findall(r'<img\b[^>]*? width="(\d+)"', output.get("data", {}).get("text/html", ""))):
                if width > WIDEST:
                    yield f"{cell.id} shows a picture that is too wide: {width}"
                if width < PANEL * columns:
                    yield f"{cell.id} shows images of {width // columns} pixels each: too small"


def described(html):
    """Whether every <img> in some HTML has alt text, and there is one."""
    alts = [re.search(r'\balt="([^"]*)"', tag) for tag in re.findall(r"<img\b[^>]*>", html)]
    return bool(alts) and all(alt and alt[1].strip() for alt in alts)


def faults_of_style(notebook):
    lines = lengths(notebook)
    if statistics.median(lines) > 6 or sorted(lines)[int(0.9 * len(lines))] > 14:
        yield f"cells are too long: {sorted(lines)}"
    defined = [
        node.name
        for cell in code_cells(notebook)
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and not versions.is_written(cell)
    ]
    if len(defined) > 3:
        yield f"more than three definitions: {defined}"
    if any(len(line) > 92 for cell in code_cells(notebook) for line in cell.source.splitlines()):
        yield "a line of code is longer than 92"
    if not notebook.cells[0].source.startswith("# "):
        yield "the first cell is not the title"
    core = [cell.source.startswith("## Going further") for cell in notebook.cells].index(True) if further(notebook) else 0
    if core > CORE:
        yield f"the core has {core} cells, more than {CORE}"


def further(notebook):
    return any(cell.source.startswith("## Going further") for cell in notebook.cells)


def faults_of_questions(notebook):
    """Yield what is wrong with the questions: each has its solution in marks, and is checked once, later."""
    asked = {versions.answer_of(cell): i for i, cell in enumerate(notebook.cells) if versions.is_question(cell)}
    checks = {versions.checked(cell): i for i, cell in enumerate(notebook.cells) if versions.checked(cell)}
    if None in asked:
        yield "a question gives no value to my_..."
    if set(asked) != set(checks) or any(checks[name] < at for name, at in asked.items() if name in checks):
        yield f"asked are {sorted(map(str, asked))}, checked are {sorted(checks)}"
    for cell in filter(versions.is_question, notebook.cells):
        if versions.without_solution(cell.source) == cell.source:
            yield f"{cell.id} has no solution between {versions.BEGIN} and {versions.END}"
    for cell in code_cells(notebook):
        shown = re.findall(r"figures\.source\((?:\w+\.)*(\w+)(, closed=True)?", cell.source)
        answers = {getattr(exercises.EXERCISES[name], "reference", None) for name in asked if name in exercises.EXERCISES}
        if any(not closed and name in {getattr(f, "__name__", "") for f in answers} for name, closed in shown):
            yield f"{cell.id} shows the answer to a question"


def test_there_are_lessons():
    assert {"00_start", "08_pipeline"} <= {path.stem for path in PATHS}


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_lesson(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert list(faults(notebook)) == []
    assert path.stat().st_size <= render.MOST_BYTES
    assert path.read_bytes().endswith(b"\n") and b"\r" not in path.read_bytes()


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_the_learners_copy_has_the_questions_and_not_the_answers(path):
    notebook = nbformat.reads(lessons.without_solutions(path.read_bytes()).decode(), as_version=4)
    nbformat.validate(notebook)
    teacher = nbformat.read(path, as_version=4)
    solved = [cell.source for cell in teacher.cells if versions.is_question(cell)]
    assert len(solved) >= 2, "every lesson has at least two questions"
    assert len(notebook.cells) == len(teacher.cells)
    assert not [cell.id for cell in notebook.cells if cell.source in solved or "SOLUTION" in cell.source]
    first = [versions.is_question(cell) for cell in notebook.cells].index(True)
    assert not [cell.id for cell in notebook.cells[first:] if cell.get("outputs")]
    for cell in code_cells(notebook):
        compile(cell.source, cell.id, "exec")


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_a_lesson_asks_what_its_bank_declares(path):
    teacher = nbformat.read(path, as_version=4)
    asked = [versions.answer_of(cell) for cell in teacher.cells if versions.is_question(cell)]
    assert sorted(asked) == sorted(exercises.LESSONS[path.stem])


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_every_stub_is_kindly_rejected_and_its_solution_accepted(path):
    """In one process, without running the lesson: its imports, and then each question as a learner finds it and solved."""
    teacher = nbformat.read(path, as_version=4)
    names = {}
    exec(compile(code_cells(teacher)[0].source, "imports", "exec"), names)
    for cell in filter(versions.is_question, teacher.cells):
        name = versions.answer_of(cell)
        stub, solved = dict(names), dict(names)
        exec(compile(versions.without_solution(cell.source), "stub", "exec"), stub)
        exec(compile(cell.source, "solution", "exec"), solved)
        assert exercises.verdict(name, stub[f"my_{name}"]).right is not True, f"the stub of {name} is right"
        judgement = exercises.verdict(name, solved[f"my_{name}"])
        assert judgement.right, f"{name}: {judgement.words}"


def test_there_are_enough_questions():
    assert sum(map(len, exercises.LESSONS.values())) >= 36
    names = [name for lesson in exercises.LESSONS.values() for name in lesson]
    assert len(set(names)) == len(names), "a question belongs to one lesson"


def test_nothing_but_lessons_lies_beside_them():
    """Lessons write my_picture.gif and the like when they run here, and one imports my_training; git ignores it all.

    terms.csv is the glossary's.
    """
    others = {"terms.csv", "__pycache__", *lessons.TEACHERS, *languages.available()}
    there = [p.name for p in FOLDER.iterdir() if not p.name.startswith(".") and p.name not in others]
    assert not [name for name in there if not name.endswith(".ipynb") and not name.startswith("my_")]


# ---------------------------------------------------------------- the rules themselves


def good():
    picture = {"image/png": "aGVsbG8=", "text/html": '<img alt="a cat" src="data:image/png;base64,aGVsbG8=">'}
    cells = [
        nbformat.v4.new_markdown_cell("# Title", id="title"),
        nbformat.v4.new_code_cell(
            "1 + 1", id="sum", execution_count=1, outputs=[nbformat.v4.new_output("execute_result", picture, execution_count=1)]
        ),
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata=render.METADATA)


def test_a_good_notebook_has_no_faults():
    assert list(faults(good())) == []
    asking = nbformat.from_dict(good())
    ask(asking, shown="figures.source(steps.q_sample, closed=True)")
    assert list(faults(asking)) == []


def change(**values):
    return lambda notebook: notebook.cells[1].update(values)


def show(**data):
    names = {"png": "image/png", "html": "text/html", "live": "application/vnd.jupyter.widget-view+json"}
    data = {names[k]: v for k, v in data.items()}
    return change(outputs=[nbformat.v4.new_output("display_data", data)])


def ask(notebook, first="question", shown=""):
    """Add a question and its check to a notebook, in either order."""
    source = f"my_q_sample = None\n{versions.BEGIN}\nmy_q_sample = 1\n{versions.END}"
    question = nbformat.v4.new_code_cell(source, id="question", metadata={"tags": ["exercise"]})
    check = nbformat.v4.new_code_cell(f'ed.check("q_sample")\n{shown}', id="check")
    both = [question, check] if first == "question" else [check, question]
    for number, cell in enumerate(both):
        cell.update(execution_count=2 + number)
        cell.metadata.update({"nbgrader": versions.nbgrader(cell)})
    notebook.cells.extend(both)


WARNING = nbformat.v4.new_output("stream", name="stderr", text="W")
ERROR = nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])
LONG = "\n".join(["x = 1"] * 15)


@pytest.mark.parametrize(
    "damage, fault",
    [
        (change(execution_count=2), "once each"),
        (change(execution_count=None), "once each"),
        (change(outputs=[]), "no outputs"),
        (change(outputs=[ERROR]), "error"),
        (change(outputs=[WARNING]), "warning"),
        (show(png="aGVsbG8="), "without alt"),
        (show(png="aGVsbG8=", html='<img src="x">'), "without alt"),
        (show(png="aGVsbG8=", html='<img alt="" src="x">'), "without alt"),
        (show(html='<img alt="a" width="1008" height="9">'), "too wide: 1008"),
        (lambda n: (show(html='<img alt="a" width="600">')(n), change(source="f(columns=6)")(n)), "100 pixels each"),
        (show(live={}), "widget's model"),
        (show(html="<script>1</script>"), "script"),
        (show(html='<p onclick="x">'), "script"),
        (change(source="# NBVAL_CHECK_OUTPUT\n1 + 1"), "compares a picture"),
        (change(id="title"), "unique"),
        (change(id="A" * 30), "short and plain"),
        (change(metadata={"tags": ["hm"]}), "metadata"),
        (change(metadata={"execution": {}}), "metadata"),
        (change(source=LONG), "too long"),
        (change(source="x = '" + "a" * 120 + "'"), "longer than 92"),
        (change(source="open('/home/me/x')"), "a path"),
        (change(source=r"open('C:\\Users\\me')"), "a path"),
        (show(html="<f at 0x7f00aa11bb22>"), "address"),
        (change(source="def a(): 0\ndef b(): 0\ndef c(): 0\ndef d(): 0"), "three definitions"),
        (change(metadata={"tags": ["exercise"]}), "no value to my_"),
        (change(metadata={"tags": ["exercise"]}, source="my_sum = 2"), "no solution between"),
        (change(metadata={"tags": ["exercise"]}, source="my_sum = 2"), "asked are ['sum'], checked are []"),
        (change(metadata={"nbgrader": {"grade_id": "x"}}), "nbgrader metadata"),
        (lambda n: ask(n, first="check"), "asked are"),
        (lambda n: ask(n, shown="figures.source(steps.q_sample)"), "shows the answer"),
        (lambda n: n.cells.extend([n.cells[1]] * 40 + [nbformat.v4.new_markdown_cell("## Going further")]), "the core has 42"),
        (lambda n: n.cells.pop(0), "title"),
        (lambda n: n.metadata.update(widgets={}), "metadata"),
        (lambda n: n.metadata.kernelspec.update(name="my-venv"), "metadata"),
    ],
)
def test_every_rule_finds_its_fault(damage, fault):
    notebook = nbformat.from_dict(good())
    damage(notebook)
    assert [text for text in faults(notebook) if fault in text], list(faults(notebook))
