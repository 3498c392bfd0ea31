"""There is one default guidance scale, steps.GUIDANCE: no other file of the package has a number of its own for it."""

import ast
import inspect
from pathlib import Path

import pytest

import edu_diffusion
from edu_diffusion import metrics, steps, widgets
from edu_diffusion.cli import generate

PACKAGE = Path(edu_diffusion.__file__).parent
FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if not {"checkpoints", "datasets"} & set(p.relative_to(PACKAGE).parts)]
HOME = PACKAGE / "steps" / "guidance.py"
NONE = 1  # no guidance: every call may ask for it, and what metrics/ measures of a model alone begins with it


def number(node):
    """The number that a node is, with or without a sign; None for anything else, such as a name."""
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    literal = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return node.value if literal else None


def pairs(target, value):
    """(target, value) of an assignment; of `a, b = 1, 2` one for each."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return [pair for one in zip(target.elts, value.elts) for pair in pairs(*one)]
    return [(target, value)]


def named(node):
    """(name, value) of whatever gives a name a value: defaults of parameters, assignments, arguments, entries of a dict."""
    if isinstance(node, ast.arguments):
        given = [*node.posonlyargs, *node.args]
        defaults = list(zip(given[len(given) - len(node.defaults) :], node.defaults))
        return [(arg.arg, value) for arg, value in [*defaults, *zip(node.kwonlyargs, node.kw_defaults)] if value]
    if isinstance(node, ast.Assign):
        return [(ast.unparse(name), value) for target in node.targets for name, value in pairs(target, node.value)]
    if isinstance(node, ast.AnnAssign) and node.value:
        return [(ast.unparse(node.target), node.value)]
    if isinstance(node, ast.Dict):
        return [
            (key.value, value)
            for key, value in zip(node.keys, node.values)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        ]
    if isinstance(node, ast.keyword) and number(node.value) != NONE:
        return [(node.arg or "", node.value)]
    return []


def literals(source, allowed=()):
    """The names with "guidance" in them that a piece of source gives a number of its own, other than those allowed."""
    return [
        name
        for node in ast.walk(ast.parse(source))
        for name, value in named(node)
        if "guidance" in name.lower() and number(value) not in (None, *allowed)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_other_literal(path):
    allowed = [NONE] if path.parent.name == "metrics" else []
    assert literals(path.read_text(encoding="utf-8"), allowed) == (["GUIDANCE"] if path == HOME else [])


@pytest.mark.parametrize(
    "source, found",
    [
        ("def f(x, guidance=4.0): pass", 1),
        ("def f(*, steps=20, guidance=4): pass", 1),
        ("lambda guidance=2: 0", 1),
        ("def f(guidance=1.0): pass", 1),
        ("STEPS, PRIOR_GUIDANCE = 20, 4.0", 1),
        ("GUIDANCE: float = 7.5", 1),
        ("class C:\n    guidance: float = 4.0", 1),
        ("{'seed': 0, 'guidance': 4.0}", 1),
        ("draw(pipe, guidance=4.0)", 1),
        ("pipe(prompt, guidance_scale=7.5)", 1),
        ("x.guidance = -2", 1),
        ("def f(x, guidance=GUIDANCE): pass", 0),
        ("draw(pipe, guidance=1.0)", 0),
        ("draw(pipe, **{'a': 4.0})", 0),
        ("STEPS, GUIDANCE = steps.STEPS, steps.GUIDANCE", 0),
        ("guidance: float", 0),
        ("def f(guidance, seed=0): pass", 0),
        ("{'guidance': ('CFG scale', float)}", 0),
        ("def f(guidance=None, *, seed): pass", 0),
    ],
)
def test_the_check_itself(source, found):
    assert len(literals(source)) == found


def test_a_measure_without_guidance():
    assert not literals("def variety(pipe, guidance=1.0): pass", [NONE])
    assert literals("def variety(pipe, guidance=2.0): pass", [NONE])


@pytest.mark.parametrize(
    "function",
    [
        steps.generate,
        steps.img2img,
        steps.inpaint,
        metrics.draw,
        widgets.PromptWidget,
        widgets.GuidanceExplorer,
        widgets.TimelineExplorer,
        widgets.PipelineMap,
    ],
    ids=lambda f: f.__name__,
)
def test_the_default_is_the_one(function):
    assert inspect.signature(function).parameters["guidance"].default == steps.GUIDANCE


def test_the_command_line_draws_with_it():
    assert (generate.defaults()["guidance"], generate.defaults()["steps"]) == (steps.GUIDANCE, steps.STEPS)
