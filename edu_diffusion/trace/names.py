"""Modules by their dotted names, and patterns for many names at once."""

import difflib
import re

from torch import nn

__all__ = ["modules"]


def modules(model: object) -> dict[str, nn.Module]:
    """Return {dotted name: module}, in the model's own order.

    model: a torch module, whose own name is "", or a diffusers pipeline, where names begin with the part:
    "unet", "unet.conv_in", ... Raises ValueError for anything else.
    """
    if isinstance(model, nn.Module):
        return dict(model.named_modules())
    parts = getattr(model, "components", None)
    if not isinstance(parts, dict):
        raise ValueError(f"model is a {type(model).__name__}; it must be a torch module or a diffusers pipeline.")
    parts = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
    return {".".join(filter(None, (part, name))): module for part, whole in parts.items() for name, module in whole.named_modules()}


def callable_names(found):
    """Return the names of modules that can be called; lists of modules are never called."""
    return [name for name, module in found.items() if not isinstance(module, (nn.ModuleList, nn.ModuleDict))]


def matching(names, patterns):
    """Return the names that match one of the patterns, in their original order.

    A pattern is a name in which * stands for anything but a dot, and ** for anything: "down_blocks.*" are
    the blocks, "down_blocks.**" also everything inside them, "**.conv1" every conv1.
    Raises ValueError for a pattern that matches nothing.
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
    """Return a pattern of names as a regular expression."""
    if not isinstance(pattern, str):
        raise ValueError(f"One name is {pattern!r}; it must be a string, such as 'mid_block'.")
    escaped = re.escape(pattern).replace(r"\*\*\.", r"(?:.+\.)?").replace(r"\*\*", ".+")
    return re.compile(escaped.replace(r"\*", r"[^.]*"))


def unknown(name, names):
    """Return a sentence for an unknown name, with the names that may have been meant."""
    near = difflib.get_close_matches(name, names, n=4)
    if near:
        return f"There is no {name!r} here; similar names are {', '.join(near)}."
    first = list(dict.fromkeys(n.split(".")[0] + ".**" * ("." in n) for n in names if n))
    return f"There is no {name!r} here; the names are {', '.join(first) or 'none at all'}."
