"""The verb `report`: answers are found and judged apart from everything else, tricks fail, and the files say what was found."""

import ast
import csv
import html.parser
import importlib
import json
import os
import sys

import pytest
import torch

import edu_diffusion as ed
from edu_diffusion.cli import answers, grader, lessons, main, own_run, replies, report, report_files, sandbox, versions
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import EXERCISES, MODULES, Choice, Exercise, Number, other_cases
from edu_diffusion.exercises.compare import agree
from edu_diffusion.exercises.exercise import answers as results
from edu_diffusion.install import environment

FUNCTIONS = {name: exercise for name, exercise in EXERCISES.items() if isinstance(exercise, Exercise)}
RIGHT = "def my_q_sample(x_0, eps, abar_t):\n    return abar_t**0.5 * x_0 + (1 - abar_t) ** 0.5 * eps\n"
HEAD = "def my_q_sample(x_0, eps, abar_t):\n    "
VISIBLE = repr([x.tolist() for x in results(EXERCISES["q_sample"].reference, EXERCISES["q_sample"].cases())])
WRONG = "(x_0 * 0)"
LINUX_ONLY = "" if sys.platform == "linux" else "\nmy_q_sample = None"  # elsewhere the memory is not limited

# What was tried to get a point without the formula. All are answers to q_sample, and all must be refused.
CHEATS = {
    "an object that equals everything": """
class Equal:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __array__(self, *_, **__): raise ValueError
    def __getattr__(self, name): return self
    def __call__(self, *_, **__): return self
    def __iter__(self): return iter(())
def my_q_sample(*_): return Equal()""",
    "a tensor that equals everything": f"""
class Equal(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *_, **__): return True
{HEAD}return x_0.as_subclass(Equal)""",
    "torch.allclose and torch.equal say yes": f"""
import torch
torch.allclose = torch.equal = torch.isclose = lambda *_, **__: True
torch.Tensor.__eq__ = lambda *_: True
{HEAD}return {WRONG}""",
    "the machinery of the exercises is replaced": f"""
import sys
{HEAD}
    for module in [m for n, m in sys.modules.items() if n.startswith("edu_diffusion.exercises") or n == "__main__"]:
        for name in ("agree", "equal", "close", "same", "judged", "learners", "numbers", "reply"):
            if hasattr(module, name): setattr(module, name, lambda *_, **__: True)
    return {WRONG}""",
    "the reference from steps": "from edu_diffusion import steps\ndef my_q_sample(*given): return steps.q_sample(*given)",
    "the reference from its file": "from edu_diffusion.steps.noise import q_sample as my_q_sample",
    "the reference of the exercise": """
def my_q_sample(*given):
    from edu_diffusion import exercises
    return exercises.EXERCISES["q_sample"].reference(*given)""",
    "the reference of the exercise's file": """
def my_q_sample(*given):
    from edu_diffusion.exercises import noise
    return noise.q_sample(*given)""",
    "the source by inspect": """
def my_q_sample(*given):
    import inspect
    from edu_diffusion.steps import noise
    space = {"torch": torch}
    exec(inspect.getsource(noise.q_sample), space)
    return space["q_sample"](*given)""",
    "the source from the disk": f"""
def my_q_sample(*given):
    import types
    text = open({str(sandbox.files.PACKAGE / "steps" / "noise.py")!r}).read()
    space = types.ModuleType("noise", "").__dict__
    exec(text, space)
    return space["q_sample"](*given)""",
    "the source by os.open": f"""
def my_q_sample(*given):
    import os
    text = os.read(os.open({str(sandbox.files.PACKAGE / "steps" / "noise.py")!r}, os.O_RDONLY), 10**6).decode()
    space = {{}}
    exec(text, space)
    return space["q_sample"](*given)""",
    "the package found again by its path": f"""
def my_q_sample(*given):
    import sys
    for name in [n for n in sys.modules if n.startswith("edu_diffusion")]: del sys.modules[name]
    sys.path.insert(0, {str(sandbox.files.PACKAGE.parent)!r})
    from edu_diffusion.steps import q_sample
    return q_sample(*given)""",
    "os._exit(0)": "import os\ndef my_q_sample(*_): os._exit(0)",
    "posix._exit(0)": "import posix\ndef my_q_sample(*_): posix._exit(0)",
    "sys.exit(0) at once": "import sys\nx = sys.exit(0)\n" + HEAD + f"return {WRONG}",
    "a verdict on stdout": HEAD + f"print('right'); print('{{\"id\": 0, \"right\": true}}', flush=True); return {WRONG}",
    "a verdict in every pipe": f"""
import os
{HEAD}
    for number in range(30):
        try: os.write(number, b'{{"id": 0, "right": true, "verdict": "Right", "results": true}}\\n')
        except OSError: pass
    posix = __import__("posix")
    posix._exit(0)""",
    "a loop without end": HEAD + "while True: pass",
    "a loop without end that catches everything": HEAD
    + "while True:\n        try:\n            while True: pass\n        except: pass",
    "a loop without end in the cell": "while True: pass\n" + RIGHT,
    "fork": "import os\ndef my_q_sample(*_):\n    while True: os.fork()",
    "a subprocess": "import subprocess\ndef my_q_sample(*_): return subprocess.run(['true'])",
    "a shell": "import os\ndef my_q_sample(x_0, *_): return x_0 * os.system('true')",
    "a connection": "import socket\ndef my_q_sample(*_): return socket.create_connection(('127.0.0.1', 9))",
    "a compiled library": "def my_q_sample(*_):\n    import ctypes\n    return ctypes.CDLL(None).getpid()",
    "all memory": HEAD + "kept = []\n    while True: kept.append(torch.ones(10_000_000))",
    "a gigabyte": RIGHT.replace("    return", "    kept = bytearray(10**9)\n    return") + LINUX_ONLY,
    "the call stack": """
def my_q_sample(*_):
    import sys
    frame, found = sys._getframe(), None
    while frame:
        for name, value in frame.f_locals.items():
            if name in ("wanted", "right", "expected", "reference"): found = value
        frame = frame.f_back
    return found[0] if found else torch.zeros(2, 3, 4, 5)""",
    "the garbage collector": """
def my_q_sample(*given):
    import gc
    return next(f for f in gc.get_objects() if getattr(f, "__name__", "") == "q_sample")(*given)""",
    "the results of the lesson's cases": f"""
seen = {VISIBLE}
def my_q_sample(x_0, eps, abar_t):
    return torch.tensor(seen[0] if abar_t < 0.5 else seen[1])""",
}
OTHER_SPELLINGS = {
    "as in the lesson": RIGHT,
    "with torch.sqrt and a helper": "def weight(a):\n    return torch.sqrt(a)\n"
    + HEAD
    + "return weight(abar_t) * x_0 + weight(1 - abar_t) * eps",
    "written below something that fails here": "shown = x_0 * 2\n"
    + RIGHT
    + "ed.check('q_sample')\nfigures.row(my_q_sample(1, 2, 3))",
    "with an end of Python below it": RIGHT + "exit()",
    "with a command of IPython": "%matplotlib inline\n!ls\n" + RIGHT,
    "number by number": HEAD + "x, e, a = x_0.flatten().tolist(), eps.flatten().tolist(), float(abar_t)\n    "
    "return torch.tensor([a**0.5 * p + (1 - a)**0.5 * q for p, q in zip(x, e)]).reshape(x_0.shape)",
}


@pytest.fixture(scope="module")
def asked():
    return answers.questions(lessons.source(), EXERCISES)


@pytest.fixture(scope="module")
def verdicts(asked):
    """The Verdicts on all cheats and right answers to q_sample: one process for the libraries, a fork for each."""
    sources = CHEATS | OTHER_SPELLINGS
    given = [grader.Given(asked["01_noise"]["q_sample"], "ada", source) for source in sources.values()]
    return dict(zip(sources, grader.judged(given, grader.Limits(seconds=3, memory=400_000_000))))


# ---------------------------------------------------------------- tricks


@pytest.mark.fault("wrong")
@pytest.mark.parametrize("trick", CHEATS)
def test_a_trick_is_no_answer(trick, verdicts):
    assert verdicts[trick].right is False, verdicts[trick].words
    assert verdicts[trick].words.startswith("Not yet: ")


@pytest.mark.fault("wrong")
@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_a_right_answer_is_right(spelling, verdicts):
    assert verdicts[spelling] == (True, f"Right: {EXERCISES['q_sample'].praise}")


@pytest.mark.parametrize(
    "trick, words",
    [
        ("the reference from steps", "write q_sample yourself"),
        ("the source from the disk", "may not read or write files"),
        ("a subprocess", "may not start a process"),
        ("a loop without end", "did not finish within 3 seconds"),
        ("torch.allclose and torch.equal say yes", "leave the libraries as they are"),
        ("posix._exit(0)", "it ended Python"),
    ],
)
def test_the_sentence_says_why(trick, words, verdicts):
    assert words in verdicts[trick].words


def test_where_there_is_no_fork_each_answer_has_a_process_from_the_start(asked, monkeypatch):
    """As on Windows, which has no limits of memory either."""
    monkeypatch.setattr(grader, "FORK", False)
    sources = [RIGHT, CHEATS["posix._exit(0)"], CHEATS["the source from the disk"]]
    found = grader.judged([grader.Given(asked["01_noise"]["q_sample"], "ada", source) for source in sources])
    assert [verdict.right for verdict in found] == [True, False, False]
    assert "it ended Python" in found[1].words and "may not read" in found[2].words


def test_lines_of_one_place_that_come_twice_count_as_none():
    twice = b'{"id": 0, "results": []}\n{"id": 0, "fault": "a"}\nnonsense\n[1]\n{"id": 1, "fault": "b"}\n'
    assert replies.lines(twice) == {1: {"fault": "b"}}


@pytest.mark.parametrize(
    "reply",
    [
        {"right": True},
        {"results": True},
        {"results": []},
        {"results": [{"shape": [1], "complex": False, "numbers": [True]}] * 2},
        {"results": [{"shape": [3], "complex": False, "numbers": [1.0]}] * 2},
        {"results": [{"shape": [-1], "complex": False, "numbers": [1.0]}] * 2},
        {"results": [{"shape": [], "complex": False, "numbers": ["1"]}] * 2},
        {"results": [{"shape": [], "complex": False, "numbers": [1.0], "right": True}] * 2},
        None,
        7,
    ],
)
def test_a_forged_reply_is_no_answer(reply):
    assert replies.compared(EXERCISES["q_sample"], reply, 1, False).right is False


def test_too_few_right_results_are_no_answer():
    exercise = EXERCISES["q_sample"]
    wanted = results(exercise.reference, other_cases.other_cases(exercise.cases, 5)())
    full = [{"shape": list(x.shape), "complex": False, "numbers": x.flatten().tolist()} for x in wanted]
    assert replies.compared(exercise, {"results": full, "reached": [[], []]}, 5, False).right is True
    assert replies.compared(exercise, {"results": full[:1], "reached": [[]]}, 5, False).right is False
    assert replies.compared(exercise, {"results": full, "reached": [[], []]}, 6, False).right is False


def test_a_result_without_gradients_is_wrong_where_training_needs_them():
    exercise = EXERCISES["noise_loss"]
    wanted = results(exercise.reference, other_cases.other_cases(exercise.cases, 5)())
    full = [{"shape": list(x.shape), "complex": False, "numbers": x.flatten().tolist()} for x in wanted]
    assert replies.compared(exercise, {"results": full, "reached": [[0], [0]]}, 5, False).right is True
    assert "gradient" in replies.compared(exercise, {"results": full, "reached": [[], []]}, 5, False).words
    assert replies.compared(exercise, {"results": full, "reached": "cut off"}, 5, False).words == "Not yet: cut off"


# ---------------------------------------------------------------- what a process gets to see


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_copy_lacks_the_reference_and_the_known_mistakes(name, tmp_path):
    """What is left of the exercises' own files has no reference, and no declaration of an exercise."""
    exercise = FUNCTIONS[name]
    sandbox.write_parts(tmp_path, [exercise.cases])
    left = {path.stem: ast.parse(path.read_text()) for path in tmp_path.glob("*.py")}
    assert exercise.cases.__module__.rpartition(".")[2] in left
    defined = {given for tree in left.values() for node in tree.body for given in sandbox.given(node) if not is_import(node)}
    assert not defined & {"EXERCISES", exercise.reference.__name__, name.upper()}
    assert not [node for tree in left.values() for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "Exercise"]


def is_import(node):
    return isinstance(node, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize(
    "name", [name for name, one in FUNCTIONS.items() if one.reference.__module__.startswith("edu_diffusion.steps")]
)
def test_the_asked_step_only_raises_in_the_copy(name, tmp_path):
    reference = FUNCTIONS[name].reference
    original = sandbox.files.PACKAGE.parent / (reference.__module__.replace(".", "/") + ".py")
    copy = tmp_path / original.relative_to(sandbox.files.PACKAGE.parent)
    copy.parent.mkdir(parents=True)
    copy.write_text(original.read_text())
    sandbox.without(tmp_path / "edu_diffusion", reference)
    before, after = (
        {node.name: ast.unparse(node) for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}
        for path in (original, copy)
    )
    assert after.pop(reference.__name__) == before.pop(reference.__name__).split("\n")[0] + (
        f"\n    raise NotImplementedError('{sandbox.ASKED.format(reference.__name__)}')"
    )
    assert after == before


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_cases_have_other_right_results_of_the_same_shapes(name):
    exercise = FUNCTIONS[name]
    vary = not grader.drawn(exercise)
    seen, *others = (
        results(exercise.reference, cases())
        for cases in (exercise.cases, *(other_cases.other_cases(exercise.cases, seed, vary) for seed in (1, 2, 1)))
    )
    assert agree(others[0], others[2])
    assert not agree(others[0], seen) and not agree(others[0], others[1])
    assert [x.shape for x in others[0]] == [x.shape for x in seen]
    assert all(x.isfinite().all() for x in others[0])


def test_seeds_are_as_before_afterwards():
    before = torch.Generator, torch.manual_seed
    with other_cases.other_seeds(3):
        assert torch.randn(1, generator=torch.Generator().manual_seed(1)) != torch.randn(1, generator=before[0]().manual_seed(1))
    assert (torch.Generator, torch.manual_seed) == before


def test_only_imports_that_an_answer_uses_are_run():
    lesson = "import torch\nimport edu_diffusion as ed\nfrom diffusers import DDIMScheduler\npipe = ed.load('base')"
    assert grader.imports(lesson, {}, ["x = torch.ones(3)", "y = 3"]) == ["import torch"]
    ours = {"noise_it": EXERCISES["q_sample"].reference}
    assert grader.imports(lesson, ours, ["noise_it(3)"]) == ["from edu_diffusion.steps.noise import q_sample as noise_it"]


# ---------------------------------------------------------------- letters, numbers, lines


@pytest.mark.parametrize(
    "source, right",
    [
        ('my_half_time = "B"', True),
        ("my_half_time = ' b. '", True),
        ('my_half_time = "A"', False),
        ('my_half_time = "BC"', False),
        ('my_half_time = ""', None),
        ("", None),
        ("my_half_time = (", False),
        ('my_half_time = "A"\nmy_half_time = "B"', True),
    ],
)
def test_a_letter_is_read_without_running_anything(source, right, asked, monkeypatch):
    monkeypatch.setattr(grader, "started", lambda *_: pytest.fail("a process was started"))
    assert grader.judged([grader.Given(asked["01_noise"]["half_time"], "ada", source)])[0].right is right


def test_letters_and_numbers_that_are_computed_come_back_as_text(asked):
    number, choice = asked["01_noise"]["pixel_variance"], asked["01_noise"]["half_time"]
    equal = "class Equal:\n    def __eq__(self, other): return True\n    def __hash__(self): return hash('B')\n"
    sources = [
        (number, "my_pixel_variance = 0.36 * 0.5**2 + 0.64"),
        (number, "my_pixel_variance = torch.tensor(0.73)"),
        (number, "my_pixel_variance = 0.36 * 0.5 + 0.64"),
        (number, f"{equal}    def __float__(self): return Equal()\nmy_pixel_variance = Equal()"),
        (number, f"{equal}    def __float__(self): return float('nan')\nmy_pixel_variance = Equal()"),
        (choice, f"{equal}my_half_time = Equal()"),
        (choice, "my_half_time = chr(66)"),
    ]
    found = grader.judged([grader.Given(question, "ada", source) for question, source in sources])
    assert [verdict.right for verdict in found] == [True, True, False, None, False, None, True]
    assert EXERCISES["pixel_variance"].wrong[4][0] in found[2].words


def test_arranged_lines_are_put_in_order_before_they_run():
    exercise = EXERCISES["training_loop"]
    shown = ed.arrange("training_loop").lines
    order = "".join("ABCDEFGH"[shown.index(line)] for line in exercise.lines[1:])
    question = answers.Question("01_noise", "training_loop", "", "", "", {})
    for letters, text in ((order, "\n".join(exercise.lines)), (order[:-1], None)):
        source = grader.source(
            exercise, grader.Given(question, "ada", f'my_training_loop = ed.arrange("training_loop", "{letters}")')
        )
        assert source.endswith(text) if text else "ed.arrange" in source


# ---------------------------------------------------------------- finding answers


def cell(source, id="", tags=("exercise",), **graded):
    metadata = {"tags": list(tags)} | ({"nbgrader": graded} if graded else {})
    return {"cell_type": "code", "id": id, "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


STUB = f"def my_q_sample(x_0):\n    {versions.STUB}\n"
ASKED = answers.Question("01_noise", "q_sample", "write", STUB, "", {})


@pytest.mark.parametrize(
    "cells, found",
    [
        ([cell("def my_q_sample(x): return 1", "other", grade_id="q_sample")], "def my_q_sample(x): return 1"),
        ([cell("my_q_sample = 3", "write", ())], "my_q_sample = 3"),
        (
            [cell("def my_q_sample(x): return 1", "x", ()), cell("def my_q_sample(x): return 2", "y", ())],
            "def my_q_sample(x): return 2",
        ),
        ([cell(STUB, "write", grade_id="q_sample"), cell("my_q_sample = 4", "x", ())], "my_q_sample = 4"),
        ([cell(STUB, "write", grade_id="q_sample")], ""),
        ([cell(STUB.replace("x_0", "x_0, eps"), "write")], ""),
        ([cell(["def my_q_sample(x):\n", "    return 1\n"], "write")], "def my_q_sample(x):\n    return 1\n"),
        ([cell("def q_sample(x): return 1", "x"), cell("my_q_sample == 3", "y")], None),
        ([{"cell_type": "markdown", "source": "def my_q_sample(x): return 1"}], None),
        ([{"cell_type": "code", "metadata": {"nbgrader": 3, "tags": 4}, "source": ["my_q_sample = 5"]}], "my_q_sample = 5"),
    ],
)
def test_an_answer_is_found_by_grade_id_cell_id_or_name(cells, found):
    assert answers.answer(cells, ASKED) == found


def test_every_question_of_the_sources_is_found_and_written(asked):
    """The teacher's version answers every question, the untouched copy of a learner none."""
    for lesson, own in asked.items():
        content = (lessons.source() / f"{lesson}.ipynb").read_bytes()
        teachers, learners = (lessons.notebook_in(text)["cells"] for text in (content, lessons.without_solutions(content)))
        for question in own.values():
            assert answers.answer(teachers, question), question.name
            assert answers.answer(learners, question) == "", question.name


@pytest.mark.skipif(not os.environ.get("EDU_DIFFUSION_FULL"), reason="minutes; `test --full` judges every lesson's solutions")
@pytest.mark.parametrize("lesson", MODULES)
def test_the_teachers_solutions_are_right(lesson, asked):
    cells = answers.notebook_cells(lessons.source() / f"{lesson}.ipynb")
    given = [grader.Given(question, "ada", answers.answer(cells, question)) for question in asked[lesson].values()]
    wrong = {one.question.name: verdict.words for one, verdict in zip(given, grader.judged(given)) if not verdict.right}
    assert not wrong


# ---------------------------------------------------------------- the command


@pytest.fixture
def command(monkeypatch, capsys):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def run(*words):
        code = main.main(["report", *map(str, words)])
        return code, *capsys.readouterr()

    return run


def copy_with(changes, extra=()):
    """The learner's copy of lesson 01 with these answers, {name: source}, and further cells."""
    notebook = lessons.notebook_in(lessons.without_solutions((lessons.source() / "01_noise.ipynb").read_bytes()))
    for one in notebook["cells"]:
        if (name := versions.answer_of(one)) in changes:
            one["source"] = changes[name]
    return json.dumps(notebook | {"cells": [*notebook["cells"], *map(cell, extra)]})


EVIL = '<script>alert("1")</script>'


@pytest.fixture
def group(tmp_path):
    """A class of four: two right answers; two mistakes, and a test before and after; a damaged file; a single notebook."""
    folder = tmp_path / "class"
    for name in ("blue-otter", "red-fox", "=1+1"):
        (folder / name).mkdir(parents=True)
    right = {"q_sample": RIGHT, "half_time": 'my_half_time = "B"'}
    (folder / "blue-otter" / "01_noise.ipynb").write_text(copy_with(right))
    mistakes = {"q_sample": RIGHT.replace("**0.5", "").replace(" ** 0.5", ""), "half_time": 'my_half_time = "A"'}
    extra = [f"my_sentence = '''My cat is {EVIL} blurred.'''", f'my_own_run = "{own_run.computed("red-fox").right.lower()}"']
    (folder / "red-fox" / "01_noise-copy.ipynb").write_text(copy_with(mistakes, extra))
    (folder / "red-fox" / ".ipynb_checkpoints").mkdir()
    (folder / "red-fox" / ".ipynb_checkpoints" / "01_noise-checkpoint.ipynb").write_text("{}")
    (folder / "red-fox" / "concepts_before.txt").write_text("AAAA AAAA AAA-\n")
    (folder / "red-fox" / "concepts_after.txt").write_text("BCAD BDAC BCAA\n")
    (folder / "=1+1" / "01_noise.ipynb").write_text("<<<<<<< mine\n")
    (folder / "=1+1" / "concepts_before.txt").write_text("AB")
    (folder / "grey-owl.ipynb").write_text(copy_with({"half_time": 'my_half_time = "A"'}))
    return folder


def test_the_report_says_who_answered_what(group, command):
    before = {path: path.read_bytes() for path in group.rglob("*") if path.is_file()}
    code, out, err = command(group)
    assert (code, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert ["pseudonym", "01", "all"] in lines
    assert ["blue-otter", "2/8", "2/8"] in lines and ["red-fox", "0/8", "0/8"] in lines and ["grey-owl", "0/8", "0/8"] in lines
    assert ["=1+1", "-", "0/0"] in lines
    assert report.PRACTICE in out
    assert "=1+1/01_noise.ipynb is left out: it is in the middle of a merge" in out
    assert "=1+1/concepts_before.txt is left out" in out
    assert {path: path.read_bytes() for path in before} == before

    text = (group / "report.html").read_text(encoding="utf-8")
    assert EVIL not in text and "<script" not in text
    words = visible(text)
    assert report.PRACTICE in words and f"My cat is {EVIL} blurred." in words
    assert f"q_sample: Not yet: {EXERCISES['q_sample'].wrong[0][0]}" in words  # the hint, and for whom
    assert f"half_time: Not A: {EXERCISES['half_time'].words['A']} | 2 |" in words  # the commonest mistake, of two learners
    assert "my_file_size is not written yet. |" not in words  # that is no mistake
    assert "| red-fox | 0 of 8 | right |" in words

    with open(group / "report_moodle.csv", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[:3] == [["ID number", "01_noise"], ["'=1+1", ""], ["blue-otter", "2"]]
    with open(group / "report_canvas.csv", encoding="utf-8", newline="") as file:
        head, possible, *rows = csv.reader(file)
    assert head == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01_noise"]
    assert possible == ["Points Possible", "", "", "", "", "8"]
    assert ["blue-otter", "", "", "blue-otter", "", "2"] in rows and len(rows) == 4


def visible(page):
    """The text of a page, cells separated by |."""
    found = []

    class Reader(html.parser.HTMLParser):
        def handle_data(self, data):
            found.append(data)

        def handle_endtag(self, tag):
            found.append(" | " if tag == "td" else "\n" if tag in ("tr", "li") else "")

        def handle_starttag(self, tag, attributes):
            assert tag not in ("script", "img", "link", "iframe")
            found.append("| " if tag == "tr" else "")

    Reader().feed(page)
    return "".join(found)


def test_the_gain_of_each_item_counts_those_with_both_tests():
    learners = {
        name: report.Learner(name, tests=tests)
        for name, tests in {
            "a": {"before": "A" * 12, "after": "B" * 12},
            "b": {"before": "-" * 12, "after": "B" * 12},
            "c": {"before": "B" * 12},
        }.items()
    }
    gained = report.gains(learners)
    assert [row[1:] for row in gained[:3]] == [(2, 0, 2, 2, 0), (2, 0, 0, 0, 0), (2, 1, 0, 0, 1)]
    assert len(gained) == 12 and report.gains({"c": learners["c"]}) == []
    assert ("more steps are always better", 3) in report.still_believed(learners)


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("make, words", [(lambda path: None, "there is no folder"), (lambda path: path.mkdir(), "no notebooks in")])
def test_a_folder_with_nothing_in_it_is_said(make, words, tmp_path, command):
    make(tmp_path / "class")
    code, _, err = command(tmp_path / "class")
    assert code == 2 and words in err and "Traceback" not in err


def test_of_two_notebooks_of_a_lesson_the_first_counts(asked):
    learner, notes = report.Learner("ada"), []
    cells = [cell("my_half_time = 'B'")]
    first = report.taken(learner, lessons.Path("01_noise.ipynb"), cells, asked, notes)
    assert len(first) == len(asked["01_noise"]) and notes == []
    assert report.taken(learner, lessons.Path("01_noise (1).ipynb"), cells, asked, notes) == [] and "another notebook" in notes[0]
    assert report.taken(learner, lessons.Path("my_notes.ipynb"), [cell("x = 1", tags=())], asked, notes) == []


def test_formulas_of_a_spreadsheet_are_text_in_the_tables():
    assert [report_files.safe(word) for word in ("=1", "@a", "-b", "ada", 3, "")] == ["'=1", "'@a", "'-b", "ada", 3, ""]


# ---------------------------------------------------------------- the question of one's own


def test_each_pseudonym_has_a_question_of_its_own():
    runs = {
        name: own_run.computed(name) for name in ("ada", "bob", "cleo", "dan", "eve", "finn", "gus", "hal", "ida", "jon", "kim")
    }
    assert len({run.right for run in runs.values()}) == 4
    assert len({tuple(run.timesteps) for run in runs.values()}) == len(runs)
    for run in runs.values():
        largest, second = sorted(run.sizes)[:1:-1]
        assert run.sizes[own_run.LETTERS.index(run.right)] == largest > 1.01 * second
    assert torch.equal(own_run.computed(" ADA ").images, runs["ada"].images)


def test_own_run_shows_the_sizes_only_after_the_answer(capsys):
    right = own_run.computed("ada").right
    wrong = "B" if right == "A" else "A"
    assert "kB" not in ed.own_run("ada").alt and capsys.readouterr().out.strip() == own_run.ASKED
    assert ed.own_run("ada", right.lower()).alt.count("kB") == 4 and capsys.readouterr().out == f"Right: {right} is the largest.\n"
    ed.own_run("ada", wrong)
    assert capsys.readouterr().out == f"Not {wrong}: {right} is the largest.\n"


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("given", [("",), (3,), ("ada", "E"), ("ada", 3)])
def test_own_run_refuses_what_is_no_pseudonym_or_letter(given):
    with pytest.raises(EduError, match="pseudonym|letter"):
        ed.own_run(*given)


def test_modules_of_the_machinery_hold_no_exercise():
    for name in sandbox.MACHINERY:
        module = importlib.import_module(f"edu_diffusion.exercises.{name}")
        assert not [value for value in vars(module).values() if isinstance(value, Exercise | Choice | Number)], name
