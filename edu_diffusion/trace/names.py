"""Modules by their dotted names, and patterns for many names at once."""

import difflib
import re

from torch import nn

__all__ = ["modules"]


def modules(model):
    """Return {dotted name: module}, in the model's own order.

    model: a torch module, which itself is called "", or a diffusers pipeline, whose parts' names come first:
    "unet", "unet.conv_in", ... Raises ValueError for anything else.
    """
    if isinstance(model, nn.Module):
        return dict(model.named_modules())
    parts = getattr(model, "components", None)
    if not isinstance(parts, dict):
        raise ValueError(f"model is a {type(model).__name__}; "
                         "it must be a torch module or a diffusers pipeline.")
    parts = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    return {".".join(filter(None, (part, name))): module
            for part, whole in parts.items() for name, module in whole.named_modules()}


def callable_names(found):
    """The names of modules that are ever called; lists of modules are not."""
    return [name for name, module in found.items() if not isinstance(module, (nn.ModuleList, nn.ModuleDict))]


def matching(names, patterns):
    """Return those of the names that fit one of the patterns, in their own order.

    A pattern is a name, in which * stands for anything but a dot, and ** for anything: "down_blocks.*" are
    the blocks, "down_blocks.**" all that is in them as well, "**.conv1" every conv1.
    Raises ValueError for a pattern that fits nothing.
    """
    fitting = set()
    for pattern in patterns:
        fit = regex(pattern).fullmatch
        fits = [name for name in names if name == pattern or name and fit(name)]  # no pattern means ""
        if not fits:
            raise ValueError(unknown(pattern, names))
        fitting.update(fits)
    return [name for name in names if name in fitting]


def regex(pattern):
    """A pattern of names as a regular expression."""
    if not isinstance(pattern, str):
        raise ValueError(f"A name is {pattern!r}; it must be a string, such as 'mid_block'.")
    escaped = re.escape(pattern).replace(r"\*\*\.", r"(?:.+\.)?").replace(r"\*\*", ".+")
    return re.compile(escaped.replace(r"\*", r"[^.]*"))


def unknown(name, names):
    """A sentence for a name that nothing has, with the names that it might have meant."""
    near = difflib.get_close_matches(name, names, n=4)
    if near:
        return f"There is no {name!r} here; near it are {', '.join(near)}."
    first = list(dict.fromkeys(n.split(".")[0] + ".**" * ("." in n) for n in names if n))
    return f"There is no {name!r} here; there are {', '.join(first) or 'no names at all'}."
