"""Who may import whom: a table of the rooms, one direction, no circles; checked over every file of the package."""

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

# room: (rooms of ours that it may import, other people's packages), from the lowest to the highest
TABLE = {
    "errors": (set(), set()),
    "steps": (set(), {"torch"}),
    "trace": (set(), {"torch"}),
    "install": ({"errors"}, set()),
    "data": ({"errors"}, {"torch", "numpy", "PIL"}),
    "figures": ({"errors"}, {"numpy", "matplotlib", "PIL"}),
    "models": ({"data", "errors"}, {"torch", "diffusers", "transformers", "tokenizers", "safetensors", "huggingface_hub"}),
    "metrics": ({"models", "data", "steps", "errors"}, COMPUTE),
    "train": ({"metrics", "models", "data", "steps", "errors"}, COMPUTE),
    "compare": ({"train", "metrics", "models", "data", "steps", "errors"}, COMPUTE),
    "exercises": ({"steps", "errors"}, {"torch"}),
    "widgets": ({"figures", "trace", "steps", "data", "errors"}, {"ipywidgets", "anywidget", "traitlets", "IPython"}),
}
ORDER = [*TABLE, "cli", "", "__main__"]  # an import only ever goes to an earlier room
# cli is the application: it may import everything, but the heavy libraries, and the rooms that need them, only inside
# functions, so that a command answers at once. So may the package's __init__, the public face.
LIGHT = {"errors", "data", "install", "compare"}
AT_THE_TOP = 6  # modules beside the rooms, at most


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
            fine = (target and (target == own or allowed)) or (rest == "__version__" and own not in ("steps", "trace", "errors"))
        else:
            fine = top in theirs if theirs is not None else inside or top not in {*HEAVY, *COMPUTE}
        if not fine:
            yield name


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not list(refused(layer(path), tree, module(path)))


def test_every_folder_has_a_place_in_the_order():
    assert {layer(p) for p in FILES} <= set(ORDER)
    assert len([p for p in FILES if p.parent == PACKAGE]) <= AT_THE_TOP


# ---------------------------------------------------------------- one direction


def name_of(path):
    """The dotted name of a module."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(["edu_diffusion", *parts]).removesuffix(".__init__")


def graph(sources):
    """{module: the modules of ours that it imports, inside functions too}; sources: {module: (syntax tree, its package)}.

    The package itself, the public face, is left out: modules may import its version only, see refused.
    """

    def known(name):
        while name and name not in sources:
            name = name.rpartition(".")[0]
        return name

    return {
        name: {known(n) for n, _ in imports(tree, package) if n.startswith("edu_diffusion")} - {name, "", "edu_diffusion"}
        for name, (tree, package) in sources.items()
    }


def circle(arrows):
    """Modules that import each other in a circle, or []."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return [*path[path.index(name) :], name]
        path.append(name)
        found = next(filter(None, map(visit, sorted(arrows[name] - done))), [])
        done.add(path.pop())
        return found

    return next(filter(None, map(visit, sorted(arrows))), [])


def room(name):
    """The room of a module, by its dotted name."""
    return (name.split(".") + [""])[1]


def upward(arrows):
    """The imports that go from a room to a later one of ORDER."""
    return [(a, b) for a in arrows for b in arrows[a] if ORDER.index(room(b)) > ORDER.index(room(a))]


ARROWS = graph({name_of(p): (ast.parse(p.read_text(encoding="utf-8")), module(p)) for p in FILES})


def test_no_circle_and_nothing_upward():
    assert not circle(ARROWS) and not upward(ARROWS)


def test_the_table_itself_goes_one_way():
    assert all(ORDER.index(other) < ORDER.index(own) for own, (ours, _) in TABLE.items() for other in ours)


@pytest.mark.parametrize(
    "sources, circular, climbing",
    [
        ({"data.a": "from . import b", "data.b": "from .a import x"}, True, False),
        ({"data.a": "from . import b", "data.b": "def f():\n    from .a import x"}, True, False),
        ({"data.a": "from . import b", "data.b": "", "train.c": "from ..data import a, b"}, False, False),
        ({"data.a": "from ..train import c", "train.c": ""}, False, True),
        ({"metrics.a": "def f():\n    from edu_diffusion.cli import b", "cli.b": ""}, False, True),
    ],
)
def test_the_direction_is_really_checked(sources, circular, climbing):
    trees = {f"edu_diffusion.{name}": (ast.parse(text), ["edu_diffusion", name.split(".")[0]]) for name, text in sources.items()}
    assert bool(circle(graph(trees))) is circular and bool(upward(graph(trees))) is climbing


# ---------------------------------------------------------------- names


def shadows(folder):
    """Names that a package's __init__ gives to something else than its module of that name."""
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    here = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/__init__.py")}
    given = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) and node.module for alias in node.names
    }
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return (given | defined) & here


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=lambda p: p.parent.name)
def test_a_module_keeps_its_name(path):
    assert not shadows(path.parent)


@pytest.mark.parametrize(
    "source, found",
    [
        ("from .lora import lora", {"lora"}),
        ("def lora():\n    pass", {"lora"}),
        ("from .other import train as lora", {"lora"}),
        ("from . import lora", set()),
        ("from .lora import train_lora", set()),
    ],
)
def test_the_names_are_really_checked(tmp_path, source, found):
    (tmp_path / "lora.py").write_text("")
    (tmp_path / "__init__.py").write_text(source)
    assert shadows(tmp_path) == found


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize(
    "own, source, fine",
    [
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
        ("models", "from .. import steps", False),
        ("train", "from edu_diffusion.widgets import studio", False),
        ("metrics", "from ..models import load", True),
        ("metrics", "from ..train import loop", False),
        ("compare", "from ..train import RECIPES", True),
        ("compare", "from ..cli import runs", False),
        ("exercises", "from edu_diffusion import models", False),
        ("install", "def f():\n    import torch", False),
        ("widgets", "from edu_diffusion import models", False),
        ("widgets", "import diffusers", False),
        ("cli", "import torch", False),
        ("cli", "def f():\n    import torch\n    from edu_diffusion import models", True),
        ("cli", "from edu_diffusion import models", False),
        ("cli", "from edu_diffusion import __version__, install", True),
        ("cli", "from ..compare.table import markdown", True),
        ("cli", "def f():\n    from edu_diffusion import draw", False),
        ("", "import numpy", False),
        ("errors", "from edu_diffusion import data", False),
    ],
)
def test_the_check_itself(own, source, fine):
    package = ["edu_diffusion", *([own] if own not in ("", "errors") else [])]
    assert (not list(refused(own, ast.parse(source), package))) is fine


def loaded(statement):
    """Which of the heavy libraries a statement brings into a fresh Python."""
    code = f"import sys; {statement}; print(*[n for n in {HEAVY} if n in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PACKAGE.parent)
    assert not run.returncode, run.stderr
    return set(run.stdout.split())


APPLICATION = sorted(name for name in ARROWS if room(name) in ("cli", "install", "compare", "errors", "__main__"))


def test_the_application_is_light_in_a_fresh_process():
    assert not loaded(f"import edu_diffusion, {', '.join(APPLICATION)}")


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
