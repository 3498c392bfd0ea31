"""Activations by dotted name: every call of every chosen module, with its inputs and outputs."""

import inspect
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch

from .names import callable_names, matching, modules, unknown
from .tree import changed, nbytes, tensors

__all__ = ["Call", "Trace", "record"]


class Call(NamedTuple):
    """One call of one module. All tensors are copies, on the CPU."""

    number: int  # 0 for the first call inside the `with` block
    inputs: dict  # {name of the argument: tensor, or any other value}; empty if inputs are not recorded
    outputs: object  # what the module returned: a tensor, or a tuple, list or dictionary

    @property
    def input(self) -> torch.Tensor | None:
        """The first tensor among the inputs, or None."""
        return next(tensors(self.inputs), None)

    @property
    def output(self) -> torch.Tensor | None:
        """The first tensor among the outputs, or None: a block passes this one on, the others are its skips."""
        return next(tensors(self.outputs), None)


class Trace:
    """The recording that `record` makes: trace[name] is {number of the call: Call}.

    names: what was recorded, in the model's order. calls: {name: how often it was called}, also where `at`
    left calls out. modules: {name: module}, all of the model's. masked: attentions that were given a mask.
    """

    def __init__(self, found: dict[str, torch.nn.Module], names: Sequence[str]) -> None:
        self.modules = found
        self.names = list(names)
        self.masked: set[str] = set()
        self.calls = dict.fromkeys(names, 0)
        self._kept: dict[str, dict[int, Call]] = {name: {} for name in names}

    def __getitem__(self, name: str) -> dict[int, Call]:
        if name not in self._kept:
            raise ValueError(unknown(name, self.names))
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def call(self, name: str, number: int = 0) -> Call:
        """Return one Call. Raises ValueError for a name or number that was not recorded."""
        kept = self[name]
        if number not in kept:
            there = f"recorded are {', '.join(map(str, kept))}" if kept else "none is recorded"
            raise ValueError(f"{name} has no call {number}: it was called {self.calls[name]} times, and {there}.")
        return kept[number]

    @property
    def nbytes(self) -> int:
        """Bytes of everything recorded; a tensor that one module passes to the next is stored, and counted, once."""
        return nbytes([list(kept.values()) for kept in self._kept.values()])

    def __repr__(self) -> str:
        count = sum(map(len, self._kept.values()))
        return f"Trace of {len(self)} modules: {count} calls, {self.nbytes / 1e6:.1f} MB"


@contextmanager
def record(
    model: object, *names: str, at: int | Iterable[int] | None = None, dtype: torch.dtype | None = None, inputs: bool = True
) -> Iterator[Trace]:
    """Record the activations of modules inside the `with` block; the model's results are exactly the usual ones.

    Each module's calls are numbered from 0. A U-Net is called once at every sampling step (twice by a sampler
    that evaluates it again, such as heun_step), so that for its blocks the number of the call is that of the step.
    Only calls in the thread that opened the block are recorded, so two runs never mix.

    model: a torch module or a diffusers pipeline. names: dotted names, or patterns (* for one part of a name,
    ** for any number); none: the module itself, or a pipeline's parts. at: the numbers of the calls to keep,
    one or several; None is all. dtype: what to keep floating tensors in, such as torch.float16 for half the
    memory (beyond 65504 that is infinite); None is their own. inputs: False keeps the outputs only.
    Yields a Trace. Raises ValueError for a name that no module has, and for wrong settings.
    """
    found = modules(model)
    names = matching(callable_names(found), names or (["*"] if "" not in found else [""]))
    trace = Trace(found, names)
    wanted = numbers(at)
    copy = Copies(dtype)
    handles = []
    try:
        for name in names:
            handles += watch(trace, name, wanted, copy, inputs)
        yield trace
    finally:
        for handle in handles:
            handle.remove()


def watch(trace, name, wanted, copy, inputs):
    """Register the two hooks that record a module: inputs are copied before it could change them in place."""
    module = trace.modules[name]
    thread = threading.get_ident()
    given = {}
    signature = inspect.signature(module.forward)

    def before(module, args, kwargs=None):
        if kwargs is None:
            return  # another thread's call while the hook is being removed: torch then leaves kwargs out
        if inputs and threading.get_ident() == thread and wanted(trace.calls[name]):
            arguments = signature.bind(*args, **kwargs).arguments
            given[name] = changed(arguments, copy, simple)

    def after(module, args, outputs):
        if threading.get_ident() == thread:
            number = trace.calls[name]
            trace.calls[name] += 1
            if wanted(number):
                trace[name][number] = Call(number, given.pop(name, {}), changed(outputs, copy, simple))

    yield module.register_forward_pre_hook(before, with_kwargs=True)
    yield module.register_forward_hook(after)


def numbers(at):
    """Return a function that tells whether a call is selected. Raises ValueError if `at` holds no call numbers."""
    if at is None:
        return lambda number: True
    if isinstance(at, int):
        chosen = [at]
    else:
        chosen = list(at) if hasattr(at, "__iter__") else [None]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in chosen):
        raise ValueError(f"at is {at!r}; it must be the number of a call, counted from 0, or several, or None for all.")
    return set(chosen).__contains__


def simple(value):
    """Return a value that is not a tensor if it is plain, else the name of its type, so that a trace stays small."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else type(value).__name__


class Copies:
    """Copies tensors to the CPU. A tensor that comes again unchanged is not copied again."""

    def __init__(self, dtype):
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise ValueError(f"dtype is {dtype!r}; it must be one such as torch.float16, or None.")
        self.dtype, self.seen = dtype, {}

    def __call__(self, x):
        version = None if x.is_inference() else x._version  # increases whenever x is changed in place
        met, then, copy = self.seen.get(id(x), (lambda: None, None, None))
        if version is None or met() is not x or then != version:
            dtype = self.dtype if self.dtype and x.is_floating_point() else x.dtype
            copy = x.detach().to("cpu", dtype, copy=True)
            self.seen[id(x)] = weakref.ref(x), version, copy
        return copy
