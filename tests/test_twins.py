"""Every public step has a docstring that names its source and its twin, and a test that compares the two.

A test says that it is the one with `@twin("ddim_step")`, which is `pytest.mark.twin`.
"""

import ast
import importlib
import inspect
import pydoc
import re
from pathlib import Path

import pytest

from edu_diffusion import steps

PUBLIC = [name for name in steps.__all__ if inspect.isfunction(getattr(steps, name))]
OPTIONAL = {"bitsandbytes"}  # twins in a library that need not be installed; their tests are skipped without it
TESTS = sorted(Path(__file__).parent.glob("test_*.py"))


def marks(function):
    """The names in a test's twin marks."""
    for call in function.decorator_list:
        if isinstance(call, ast.Call) and ast.unparse(call.func).rsplit(".")[-1] == "twin":
            yield from (argument.value for argument in call.args)


def twin_tests(sources):
    """{name of a step: [syntax trees of the tests marked as its twin test]}"""
    found = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for name in marks(node):
                    found.setdefault(name, []).append(node)
    return found


FOUND = twin_tests(path.read_text(encoding="utf-8") for path in TESTS)


def problems(name, function, tests):
    """What a public step lacks, in words."""
    doc = inspect.getdoc(function) or ""
    twin = re.search(r"Twin:\s+([\w.]+\w)", doc)
    if "Source:" not in doc:
        yield f"{name}: no 'Source:' in its docstring"
    if not twin:
        yield f"{name}: no 'Twin:' in its docstring"
    elif twin[1].split(".")[0] not in OPTIONAL and pydoc.locate(twin[1]) is None:
        yield f"{name}: its twin {twin[1]} does not exist"
    if not tests:
        yield f"{name}: no test is marked @twin({name!r})"
    for test in tests:
        nodes = [node for statement in test.body for node in ast.walk(statement)]
        names = {getattr(node, "attr", getattr(node, "id", "")) for node in nodes}
        asserts = "assert_close" in names or any(isinstance(node, ast.Assert) for node in nodes)
        if name not in names or not asserts:
            yield f"{name}: {test.name} is marked as its twin test, but does not compare it"


def test_there_is_something_to_check():
    assert {"ddim_step", "q_sample", "generate", "kl_to_unit"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_source_twin_and_twin_test(name):
    assert not list(problems(name, getattr(steps, name), FOUND.get(name, [])))


def test_no_mark_names_something_else():
    assert set(FOUND) <= set(PUBLIC)


def test_all_names_everything_public():
    """What a file of steps/ declares public is public, and nothing else is."""
    folder = Path(steps.__file__).parent
    files = [path.stem for path in folder.glob("*.py") if path.stem not in ("__init__", "validate")]
    modules = [importlib.import_module(f"edu_diffusion.steps.{stem}") for stem in files]
    declared = {name for module in modules for name in module.__all__}
    assert declared == set(steps.__all__)


def well_documented():
    """Source: here. Twin: torch.exp."""


def test_the_check_itself():
    good, empty = "@twin('f')\ndef test_f(): assert_close(steps.f(1), g(1))", "@twin('f')\ndef test_f(): pass"
    for source, count in [(good, 0), (good.replace("@", "@pytest.mark."), 0), (empty, 1), ("", 1)]:
        assert len(list(problems("f", well_documented, twin_tests([source]).get("f", [])))) == count
    assert len(list(problems("f", lambda: 0, []))) == 3
