"""Ablation: remove a block or a skip from a model during inference, and see what the picture loses."""

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

from .names import callable_names, matching, modules
from .recording import numbers
from .tree import changed, tensors

__all__ = ["ablate"]

SKIPS = "res_hidden_states_tuple"  # the library's name for the skips that an up block is given


@contextmanager
def ablate(
    model: object, *names: str, how: str | Callable[[torch.Tensor], torch.Tensor] = "zero", at: int | Iterable[int] | None = None
) -> Iterator[None]:
    """Replace the outputs of modules, or the skips of a U-Net, inside the `with` block.

    names: dotted names or patterns, as for `record`. A U-Net's skips are "skip.0" (made by conv_in),
    "skip.1", ..., as in steps.unet_forward; in a pipeline "unet.skip.0"; "skip.*" is all of them.
    how: "zero": its output is all 0; a layer whose output is added to something, such as attention,
    is thereby left out. "identity": it returns its input; of a ResnetBlock2D the shortcut stays, and
    the residual is left out. Or your own function: a tensor in, one of the same shape out.
    at: which of its calls, counted from 0, one or several; None is all. Calls in other threads are not affected.
    `record` inside the block records what is left. Raises ValueError for unknown names and values of `how`, and,
    when the model runs, for a module that "identity" does not fit, such as one that halves the size.
    """
    found = modules(model)
    skips, wanted = dict(skip_places(found)), numbers(at)
    names, handles = matching([*callable_names(found), *skips], names), []
    checked(names, how, skips)
    try:
        for name in names:
            handles.append(
                cut_skip(name, *skips[name], how, wanted) if name in skips else cut_module(name, found[name], how, wanted)
            )
        yield
    finally:
        for handle in handles:
            handle.remove()


def checked(names, how, skips):
    """Raise ValueError for no names, an unknown value of `how`, or "identity" for a skip."""
    if not names:
        raise ValueError("There is nothing to ablate; give a name, such as 'mid_block' or 'skip.0'.")
    if how not in ("zero", "identity") and not callable(how):
        raise ValueError(f"how is {how!r}; it must be 'zero', 'identity', or a function of a tensor.")
    if how == "identity" and any(name in skips for name in names):
        raise ValueError("A skip is not a module, so there is no 'identity' for it; use how='zero', or a function.")


def skip_places(found: dict[str, torch.nn.Module]) -> Iterator[tuple[str, tuple[torch.nn.Module, int]]]:
    """Yield (name of a skip, (the up block that takes it, its place there)) for every U-Net.

    The up blocks take the skips from the end.
    """
    for name, unet in found.items():
        blocks = getattr(unet, "up_blocks", []) if hasattr(unet, "down_blocks") else []
        number = sum(len(block.resnets) for block in blocks)
        for block in blocks:
            number -= len(block.resnets)
            for place in range(len(block.resnets)):
                yield f"{name}.skip.{number + place}".removeprefix("."), (block, place)


def counter(wanted):
    """Return a function that counts its calls in this thread, and tells whether the current one is selected.

    It must be called before kwargs are used: torch leaves them out for a hook that is being removed, which
    can only happen in another thread's call.
    """
    thread, calls = threading.get_ident(), iter(range(2**62))
    return lambda: threading.get_ident() == thread and wanted(next(calls))


def cut_skip(name, block, place, how, wanted):
    """Register the hook that replaces one of the skips that a block is given."""
    due = counter(wanted)

    def before(block, args, kwargs=None):
        if not due():
            return None
        if SKIPS in kwargs:
            return args, {**kwargs, SKIPS: without(kwargs[SKIPS])}
        i = list(inspect.signature(block.forward).parameters).index(SKIPS)
        return (*args[:i], without(args[i]), *args[i + 1 :]), kwargs

    def without(skips):
        return (*skips[:place], replaced(name, skips[place], how), *skips[place + 1 :])

    return block.register_forward_pre_hook(before, with_kwargs=True)


def cut_module(name, module, how, wanted):
    """Register the hook that replaces a module's output."""
    due = counter(wanted)

    def after(module, args, *rest):
        if not due():
            return None
        kwargs, outputs = rest
        way = identity(name, module, args, kwargs, outputs) if how == "identity" else how
        return changed(outputs, lambda y: replaced(name, y, way))

    return module.register_forward_hook(after, with_kwargs=True)


def replaced(name, y, how):
    """Return the replacement of a tensor. Raises ValueError if its shape or dtype differ."""
    if how == "zero":
        return torch.zeros_like(y)
    x = how(y)
    if not torch.is_tensor(x) or (x.shape, x.dtype) != (y.shape, y.dtype):
        got = f"{tuple(x.shape)}, {x.dtype}" if torch.is_tensor(x) else type(x).__name__
        raise ValueError(
            f"{name} returns {tuple(y.shape)}, {y.dtype}, but its replacement is {got}; shape and dtype must be the same."
        )
    return x


def identity(name, module, args, kwargs, outputs):
    """Return a function that gives a module's input in place of its only output."""
    if len(list(tensors(outputs))) != 1:
        raise ValueError(f"{name} returns several tensors, so there is no 'identity' for it; use how='zero'.")
    x = next(tensors([args, kwargs]))
    if getattr(module, "conv_shortcut", None) is not None:
        x = module.conv_shortcut.forward(x)  # not a call of the module, which a trace would count
    return lambda y: x
