"""Fix the statistics of a model's group normalisations, to see what information they carry between positions."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch.nn import GroupNorm, Module

__all__ = ["hold_norms"]


@contextmanager
def hold_norms(model: Module) -> Iterator[dict[str, GroupNorm]]:
    """Make every GroupNorm keep the statistics of its first input for all later ones, inside the `with` block.

    y = (x - mean) / sqrt(var + eps) weight + bias, with the mean and variance of each group of the first x

    For the first input the result is the usual one, up to rounding. Later inputs must have the same batch size. Yields
    these norms by their dotted names. Source: Wu and He 2018, equation 1. Twin: torch.nn.GroupNorm.
    """
    norms = {name: part for name, part in model.named_modules() if isinstance(part, GroupNorm)}
    handles = [norm.register_forward_hook(holder()) for norm in norms.values()]
    try:
        yield norms
    finally:
        for handle in handles:
            handle.remove()


def holder():
    """Return a hook that keeps the statistics of the first input: (B, groups, 1) each."""
    kept = []

    def hook(norm, given, _):
        x = given[0].unflatten(1, (norm.num_groups, -1)).flatten(2)
        kept[:] = kept or [x.mean(2, keepdim=True), (x.var(2, keepdim=True, correction=0) + norm.eps).sqrt()]
        flat = ((x - kept[0]) / kept[1]).reshape_as(given[0])
        per_channel = (-1,) + (1,) * (flat.ndim - 2)
        return flat * norm.weight.view(per_channel) + norm.bias.view(per_channel)

    return hook
