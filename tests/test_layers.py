"""Who may import whom: the table of the design, checked over every file of the package."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import edu_diffusion

PACKAGE = Path(edu_diffusion.__file__).parent
DATA = {"checkpoints", "datasets", "notebooks"}  # what a wheel carries besides code
FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if not DATA & set(p.relative_to(PACKAGE).parts)]
HEAVY = ["torch", "diffusers", "transformers", "matplotlib", "numpy", "PIL", "peft", "ipywidgets", "IPython"]
COMPUTE = {"torch", "numpy", "PIL", "diffusers", "transformers", "tokenizers", "safetensors", "peft"}

# layer: (layers of ours that it may import, other people's packages)
TABLE = {
    "steps": (set(), {"torch"}),
    "trace": (set(), {"torch"}),
    "errors": (set(), set()),
    "data": ({"errors"}, {"torch", "numpy", "PIL"}),
    "figures": ({"errors"}, {"numpy", "matplotlib"}),
    "models": ({"data", "errors"}, {"torch", "diffusers", "transformers", "tokenizers", "safetensors",
                                    "huggingface_hub"}),
    "judge": ({"models", "data", "steps", "errors"}, COMPUTE),
    "metrics": ({"models", "data", "steps", "judge", "errors"}, COMPUTE),
    "train": ({"models", "data", "steps", "judge", "metrics", "errors"}, COMPUTE),
    "widgets": (
        {"figures", "trace", "steps", "data", "errors"}, {"ipywidgets", "anywidget", "traitlets", "IPython"}
    ),
    "checks": ({"steps", "errors"}, {"torch"}),
}
# Every other file at the top is the application (cli.py, doctor.py, ...): it may import everything, but the
# heavy libraries, and the layers that need them, only inside functions, so that a command answers at once.
LIGHT = {"errors", "data"}


def layer(path):
    """The layer that a file belongs to: its folder, or its own name; "" for the package's __init__."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def module(path):
    """The dotted name of the package that a file is in, from which relative imports count."""
    return ["edu_diffusion", *path.relative_to(PACKAGE).parts[:-1]]


def dynamic(node):
    """The name in import_module("name"), which is an import as well."""
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        if ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            return node.args[0].value
    return None


def imports(tree, package):
    """Yield (dotted name, whether inside a function) for every import of a syntax tree."""
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = absolute("." * node.level + (node.module or ""), package)
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif name := dynamic(node):
            names = [absolute(name, package)]
        yield from ((name, id(node) in inside) for name in names)


def absolute(name, package):
    """A name with leading dots, counted from the package that it is written in."""
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    return ".".join([*package[: len(package) - level + 1], *rest.split(".")]).rstrip(".") if level else rest


def is_layer(name):
    """Whether edu_diffusion.<name> is a file or folder rather than something written in __init__."""
    return name in TABLE or (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


def refused(own, tree, package):
    """The imports of a file of the layer `own` that the table does not allow."""
    ours, theirs = TABLE.get(own, (None, None))
    for name, inside in imports(tree, package):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if top in sys.stdlib_module_names:
            continue
        if top == "edu_diffusion":
            target = target if is_layer(target) else ""  # "" stands for the version and the like
            light = inside or target not in TABLE or target in LIGHT
            allowed = light if ours is None else target in ours
            fine = target == own or allowed or (not target and own not in ("steps", "trace", "errors"))
        else:
            fine = top in theirs if theirs is not None else inside or top not in {*HEAVY, *COMPUTE}
        if not fine:
            yield name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(refused(layer(path), tree, module(path)))


def test_every_folder_has_a_place_in_the_table():
    assert {layer(p) for p in FILES if p.parent != PACKAGE} <= set(TABLE)


@pytest.mark.parametrize("own, source, fine", [
    ("steps", "import torch, math", True),
    ("steps", "from .noise import q_sample", True),
    ("steps", "import numpy", False),
    ("steps", "def f():\n    import diffusers", False),
    ("steps", "from ..errors import EduError", False),
    ("steps", "from .. import __version__", False),
    ("trace", "from edu_diffusion import steps", False),
    ("data", "from ..errors import EduError", True),
    ("data", "from edu_diffusion import models", False),
    ("data", "import importlib\nimportlib.import_module('edu_diffusion.models')", False),
    ("data", "import importlib\nimportlib.import_module('..models', __package__)", False),
    ("figures", "import torch", False),
    ("models", "from . import steps", False),
    ("train", "from edu_diffusion.widgets import studio", False),
    ("metrics", "from ..judge import draw", True),
    ("metrics", "from ..train import loop", False),
    ("judge", "from ..metrics import calibration", False),
    ("widgets", "from edu_diffusion import models", False),
    ("widgets", "import diffusers", False),
    ("cli", "import torch", False),
    ("cli", "def f():\n    import torch\n    from edu_diffusion import models", True),
    ("cli", "from edu_diffusion import models", False),
    ("cli", "from edu_diffusion import __version__, install", True),
    ("", "import numpy", False),
    ("errors", "from edu_diffusion import data", False),
])
def test_the_check_itself(own, source, fine):
    package = ["edu_diffusion", *([own] if own in ("steps", "data", "train", "judge", "metrics", "widgets", "figures") else [])]
    assert (not list(refused(own, ast.parse(source), package))) is fine


def loaded(statement):
    """Which of the heavy libraries a statement brings into a fresh Python."""
    code = f"import sys; {statement}; print(*[n for n in {HEAVY} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert not run.returncode, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize("name", ["", ".errors", ".__main__", ".cli"])
def test_light_in_a_fresh_process(name):
    assert not loaded(f"import edu_diffusion{name}")


def test_steps_need_torch_only():
    assert loaded("import edu_diffusion.steps") <= loaded("import torch")


def lengths(tree):
    """(name, lines without the docstring) of every function."""
    for f in ast.walk(tree):
        if isinstance(f, ast.FunctionDef):
            documented = ast.get_docstring(f) is not None
            yield f.name, f.end_lineno - (f.body[0].end_lineno if documented else f.lineno)


@pytest.mark.parametrize("path", sorted((PACKAGE / "steps").glob("*.py")), ids=lambda p: p.name)
def test_steps_fit_on_a_slide(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    longer = {"generate": 14}  # the loop that is all of Stable Diffusion
    assert not [(name, n) for name, n in lengths(tree) if n > longer.get(name, 12)]
