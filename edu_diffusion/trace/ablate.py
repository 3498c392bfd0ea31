"""Take a block or a skip out of a model while it runs, and see what the picture loses by it."""

import inspect
import threading
from contextlib import contextmanager

import torch

from .names import callable_names, matching, modules
from .nested import changed, tensors
from .record import numbers

__all__ = ["ablate"]

SKIPS = "res_hidden_states_tuple"  # the library's name for what a block on the way up is given


@contextmanager
def ablate(model, *names, how="zero", at=None):
    """Replace what modules, or the skips of a U-Net, contribute, for as long as the block runs.

    names: dotted names or patterns, as for `record`. A U-Net's skips are "skip.0" (made by conv_in),
    "skip.1", ..., as in steps.unet_forward; in a pipeline "unet.skip.0"; "skip.*" is all of them.
    how: "zero": all that it gives is 0; a layer whose output is added to something, such as an attention,
    is thereby left out. "identity": it gives what it was given; of a ResnetBlock2D the shortcut stays, and
    the residual is left out. Or your own function: a tensor in, one of the same shape out.
    at: which of its calls, counted from 0, one or several; None is all. Other threads' calls are left alone.
    `record` inside the block sees what is left. Raises ValueError for unknown names and ways, and, when it is
    called, for a module that "identity" does not fit, such as one that halves the size.
    """
    found = modules(model)
    skips, wanted = dict(skip_places(found)), numbers(at)
    names, handles = matching([*callable_names(found), *skips], names), []
    checked(names, how, skips)
    try:
        for name in names:
            handles.append(cut_skip(name, *skips[name], how, wanted) if name in skips
                           else cut_module(name, found[name], how, wanted))
        yield
    finally:
        for handle in handles:
            handle.remove()


def checked(names, how, skips):
    """Raise ValueError for no names, an unknown way, or one that a skip does not have."""
    if not names:
        raise ValueError("There is nothing to ablate; give a name, such as 'mid_block' or 'skip.0'.")
    if how not in ("zero", "identity") and not callable(how):
        raise ValueError(f"how is {how!r}; it must be 'zero', 'identity', or a function of a tensor.")
    if how == "identity" and any(name in skips for name in names):
        raise ValueError("A skip is no module, so it has no 'identity'; use how='zero', or a function.")


def skip_places(found):
    """Yield (name of a skip, (the block on the way up that takes it, its place there)) for every U-Net.

    The blocks on the way up take the skips from the end.
    """
    for name, unet in found.items():
        blocks = getattr(unet, "up_blocks", []) if hasattr(unet, "down_blocks") else []
        number = sum(len(block.resnets) for block in blocks)
        for block in blocks:
            number -= len(block.resnets)
            for place in range(len(block.resnets)):
                yield f"{name}.skip.{number + place}".removeprefix("."), (block, place)


def counter(wanted):
    """A function that counts its calls in this thread, and tells whether this one is wanted.

    It must be asked before kwargs are looked at: torch leaves them out for a hook that is being removed, which
    only another thread's call can meet.
    """
    thread, calls = threading.get_ident(), iter(range(2**62))
    return lambda: threading.get_ident() == thread and wanted(next(calls))


def cut_skip(name, block, place, how, wanted):
    """Register the hook that changes one of the skips that a block is given."""
    due = counter(wanted)

    def before(block, args, kwargs=None):
        if not due():
            return None
        if SKIPS in kwargs:
            return args, {**kwargs, SKIPS: without(kwargs[SKIPS])}
        i = list(inspect.signature(block.forward).parameters).index(SKIPS)
        return (*args[:i], without(args[i]), *args[i + 1:]), kwargs

    def without(skips):
        return (*skips[:place], replaced(name, skips[place], how), *skips[place + 1:])

    return block.register_forward_pre_hook(before, with_kwargs=True)


def cut_module(name, module, how, wanted):
    """Register the hook that changes what a module gives."""
    due = counter(wanted)

    def after(module, args, *rest):
        if not due():
            return None
        kwargs, outputs = rest
        way = identity(name, module, args, kwargs, outputs) if how == "identity" else how
        return changed(outputs, lambda y: replaced(name, y, way))

    return module.register_forward_hook(after, with_kwargs=True)


def replaced(name, y, how):
    """Return what stands in for a tensor. Raises ValueError where it is not like it."""
    if how == "zero":
        return torch.zeros_like(y)
    x = how(y)
    if not torch.is_tensor(x) or (x.shape, x.dtype) != (y.shape, y.dtype):
        got = f"{tuple(x.shape)}, {x.dtype}" if torch.is_tensor(x) else type(x).__name__
        raise ValueError(f"{name} gives {tuple(y.shape)}, {y.dtype}, but what should stand in for it is "
                         f"{got}; it must be like it.")
    return x


def identity(name, module, args, kwargs, outputs):
    """A function that gives a module's input in place of its one output."""
    if len(list(tensors(outputs))) != 1:
        raise ValueError(f"{name} gives several tensors, so there is no 'identity' for it; use how='zero'.")
    x = next(tensors([args, kwargs]))
    if getattr(module, "conv_shortcut", None) is not None:
        x = module.conv_shortcut.forward(x)  # not a call of the module, which a trace would count
    return lambda y: x
