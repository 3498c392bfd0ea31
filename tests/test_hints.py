"""Every parameter and return value of what is public has a hint; mypy, a step of its own, checks the hints against the bodies.

Public are the names that a room exports and those of the package's face; in data, where modules are used by their names,
every name without a leading underscore; of training the recipes, fit and Progress; of the comparison what its three modules
are for. steps states shapes in its docstrings instead, each of them tested.
"""

import functools
import importlib
import inspect
import pkgutil
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

import edu_diffusion

WITHOUT = {"steps"}
LATER: set[str] = set()  # rooms whose hints are yet to come
EXPORTING = {"models", "metrics", "trace", "exercises", "figures", "widgets"}  # rooms with an __all__
NAMED = {
    "train.loop": ["fit", "Progress"],
    "compare.methods": ["Method", "aligned_pictures", "chosen"],
    "compare.bench": ["Bench"],
    "compare.table": ["shipped", "markdown", "cell"],
}
DUNDERS = {"__init__", "__call__", "__getitem__", "__iter__", "__len__", "__repr__", "__enter__", "__exit__"}


def module(name):
    return importlib.import_module(f"edu_diffusion.{name}")


def own(where):
    """Names without a leading underscore that a module defines itself."""
    return [
        name
        for name, value in vars(where).items()
        if not name.startswith("_") and callable(value) and getattr(value, "__module__", "") == where.__name__
    ]


def public():
    """Yield (room, name of a module, name in it) for everything public."""
    for room in sorted(EXPORTING):
        yield from ((room, room, name) for name in module(room).__all__)
    for found in pkgutil.iter_modules(module("data").__path__, "data."):
        yield from (("data", found.name, name) for name in own(module(found.name)))
    for found in pkgutil.iter_modules(module("train").__path__, "train."):
        yield from (("train", found.name, name) for name in own(module(found.name)) if name.startswith("train_"))
    for where, names in NAMED.items():
        yield from ((where.split(".")[0], where, name) for name in names)
    yield from ((where.split(".")[0], where, name) for name, where in edu_diffusion.FACE.items())


PUBLIC = sorted({f"{where}.{name}" for room, where, name in public() if room not in WITHOUT | LATER})


def written(function, cls):
    """Whether a method stands in the file of its class: NamedTuple and dataclass add some themselves."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code is not None and code.co_filename == sys.modules[cls.__module__].__file__


def functions(thing):
    """Yield the functions to look at: a function itself; of a class its constructor and public methods, properties included."""
    if not inspect.isclass(thing):
        yield from [thing] if callable(thing) else []
        return
    for name, value in vars(thing).items():
        if not name.startswith("_") or name in DUNDERS:
            value = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", None) or value
            yield from [value] if callable(value) and not inspect.isclass(value) and written(value, thing) else []


def lacking(thing):
    """What has no hint: "function: parameter", or "function: return"."""
    for function in functions(thing):
        signature, name = inspect.signature(function), inspect.unwrap(function).__qualname__
        own_class = inspect.isclass(thing) and next(iter(signature.parameters), None) in ("self", "cls")
        for parameter in list(signature.parameters.values())[own_class:]:
            if parameter.annotation is inspect.Parameter.empty:
                yield f"{name}: {parameter.name}"
        if signature.return_annotation is inspect.Signature.empty:
            yield f"{name}: return"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_parameter_and_return_value_has_a_hint(name):
    where, _, last = name.rpartition(".")
    assert not list(lacking(getattr(module(where), last)))


def test_nothing_public_is_left_out():
    assert len(PUBLIC) > 200 and {"models.load", "trace.record", "data.scenes.batch", "train.lora.train_lora"} <= set(PUBLIC)
    rooms = {room for room, *_ in public()} - {"cli"}  # of the command line only `wall` is also a function for a notebook
    assert LATER <= EXPORTING and rooms | WITHOUT | LATER == set(edu_diffusion.ROOMS)


def test_mypy_sees_the_same_rooms():
    project = Path(edu_diffusion.__file__).parents[1] / "pyproject.toml"
    files = tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["mypy"]["files"]
    assert {Path(name).name for name in files} == set(edu_diffusion.ROOMS) - WITHOUT - LATER


# ---------------------------------------------------------------- the check itself


def hinted(a: int, *rest: int, b: "str | None" = None, **more: object) -> None:
    pass


def bare(a: int, *rest, b=None, **more):
    pass


class Bare:
    def __init__(self, x):
        self.x = x

    def _private(self, y):
        return y

    def public(self, y: int):
        return y

    @property
    def part(self):
        return self.x

    @functools.cached_property
    def kept(self):
        return self.x

    @staticmethod
    def static(y) -> int:
        return y


class Fields(NamedTuple):
    x: int

    def hinted(self) -> int:
        return self.x


@pytest.mark.parametrize(
    "thing, found",
    [
        (hinted, []),
        (functools.cache(hinted), []),
        (Fields, []),
        (3, []),
        (bare, ["bare: rest", "bare: b", "bare: more", "bare: return"]),
        (torch.no_grad()(bare), ["bare: rest", "bare: b", "bare: more", "bare: return"]),
        (functools.cache(lambda x: x), ["<lambda>: x", "<lambda>: return"]),
        (
            Bare,
            [
                "Bare.__init__: x",
                "Bare.__init__: return",
                "Bare.public: return",
                "Bare.part: return",
                "Bare.kept: return",
                "Bare.static: y",
            ],
        ),
    ],
)
def test_a_missing_hint_is_found(thing, found):
    assert [text.replace("test_a_missing_hint_is_found.<locals>.", "") for text in lacking(thing)] == found


def test_names_of_a_module_are_found():
    here = sys.modules[__name__]
    assert {"hinted", "bare", "Bare"} <= set(own(here)) and "pytest" not in own(here) and "NamedTuple" not in own(here)
