"""A copy of the package in which an answer is run: without the function that is asked for. Standard library only.

The asked step raises, whatever name it is imported by, and of an exercise's file only what its cases need is there: no reference,
no known mistakes, no other question. What a copy lacks can be read neither by import nor from its source.
"""

import ast
import shutil
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import said

MACHINERY = (
    "careful",
    "compare",
    "diagnose",
    "exercise",
    "explain",
    "gradients",
    "limits",
    "other_cases",
    "parts",
    "relations",
    "stand_in",
    "substitute",
)
ASKED = "write {0} yourself: it is what this question asks for"
INIT = '''"""What is left of the exercises where an answer is judged."""


def check(*answer, **options):
    """A learner's cell may end with a check; the judgement is made elsewhere."""
'''


def package(target, exercise, others=()):
    """Write the copy for one question to the folder `target`.

    exercise: an Exercise, or None for a letter or a number. others: our functions that the answers may use all the same.
    """
    ignored = shutil.ignore_patterns(
        "checkpoints", "datasets", "notebooks", "exercises", "cli", "languages", "*.js", "__pycache__", "*.ipynb"
    )
    copy = Path(target) / "edu_diffusion"
    shutil.copytree(files.PACKAGE, copy, ignore=ignored)
    for folder, names in (("cli", ("__init__", "confined", "audit")), ("exercises", MACHINERY)):
        (copy / folder).mkdir()
        for name in names:
            shutil.copyfile(files.PACKAGE / folder / f"{name}.py", copy / folder / f"{name}.py")
    (copy / "exercises" / "__init__.py").write_text(INIT, encoding="utf-8")
    functions = [exercise.cases, *others] if exercise else others
    write_parts(copy / "exercises", [f for f in functions if f.__module__.startswith("edu_diffusion.exercises.")])
    if exercise:
        without(copy, exercise.reference)


def without(copy, function):
    """Let one of our functions raise in the copy; one that is not there has been left out already."""
    path = copy.parent / Path(*function.__module__.split(".")).with_suffix(".py")
    if not path.is_file():
        return
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__:
            source = source.replace(ast.get_source_segment(source, node), stub(node))
    path.write_text(source, encoding="utf-8")


def stub(node):
    """Return a function that only raises, with the arguments and the name of another one."""
    asked = said(ASKED, node.name)
    error = ast.parse(f"raise NotImplementedError({asked!r})").body
    return ast.unparse(ast.FunctionDef(node.name, node.args, error, [], lineno=0))


# ---------------------------------------------------------------- what the cases of an exercise need


def write_parts(folder, functions):
    """Write, for each file of the exercises, the definitions that some functions in them need, and nothing else."""
    for module, names in needed([(part.__module__.rpartition(".")[2], part.__name__) for part in functions]).items():
        body = [part for node in ast.parse(source_of(module)).body if (part := kept(node, names)) is not None]
        (folder / f"{module}.py").write_text(ast.unparse(ast.Module(body, [])) + "\n", encoding="utf-8")


def source_of(module):
    return (files.PACKAGE / "exercises" / f"{module}.py").read_text(encoding="utf-8")


def needed(waiting):
    """Return {module: names} of the definitions (module, name) and of all that they need, in any file of the exercises."""
    found, waiting = {}, list(waiting)
    while waiting:
        module, name = waiting.pop()
        if module in MACHINERY or name in found.setdefault(module, set()):
            continue
        found[module].add(name)
        for node in ast.parse(source_of(module)).body:
            if name in given(node):
                waiting += [(node.module, alias.name) for alias in node.names if name == bound(alias)] if ours(node) else []
                waiting += [(module, other) for other in used(node)]
    return {module: names for module, names in found.items() if names}


def ours(node):
    """Whether a statement imports from another file of the exercises."""
    return isinstance(node, ast.ImportFrom) and node.level == 1 and node.module


def bound(alias):
    return (alias.asname or alias.name).split(".")[0]


def given(node):
    """Return the names that a statement at the top of a file gives a meaning."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [bound(alias) for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]


def used(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def kept(node, names):
    """Return a statement, an import with the needed names only; None for one that is not needed."""
    if isinstance(node, ast.ImportFrom | ast.Import):
        aliases = [alias for alias in node.names if bound(alias) in names]
        again = ast.ImportFrom(node.module, aliases, node.level) if isinstance(node, ast.ImportFrom) else ast.Import(aliases)
        return again if aliases else None
    return node if set(given(node)) & names else None
