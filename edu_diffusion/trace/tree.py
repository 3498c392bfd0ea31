"""Tensors inside tuples, lists, dictionaries and the libraries' output classes (which are dictionaries, too)."""

import torch

__all__ = []


def tensors(value):
    """Yield every tensor in a value, in order."""
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from tensors(item)


def changed(value, change, other=lambda x: x):
    """Return the same structure with `change` applied to every tensor in it, and `other` to everything else."""
    if torch.is_tensor(value):
        return change(value)
    if isinstance(value, dict):
        items = {key: changed(item, change, other) for key, item in value.items()}
        return items if type(value) is dict else type(value)(**items)
    if isinstance(value, (tuple, list)):
        return getattr(value, "_make", type(value))([changed(item, change, other) for item in value])
    return other(value)


def nbytes(values):
    """Return the bytes of all tensors in the values; one that occurs several times counts once."""
    return sum({id(x): x.nbytes for x in tensors(values)}.values())
