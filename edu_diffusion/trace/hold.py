"""Hold a model's group normalisations still, and see what they alone carry from one place to another."""

from contextlib import contextmanager

from torch.nn import GroupNorm

__all__ = ["hold_norms"]


@contextmanager
def hold_norms(model):
    """Let every GroupNorm measure the first input that it is given, and go by that ever after, while the block runs.

    y = (x - mean) / sqrt(var + eps) weight + bias, with the mean and variance of each group of the first x

    The first input's answer is the usual one, up to rounding. Later ones must be of the same batch size. Yields the
    norms that are held, by their dotted names. Source: Wu and He 2018, equation 1. Twin: torch.nn.GroupNorm.
    """
    norms = {name: part for name, part in model.named_modules() if isinstance(part, GroupNorm)}
    handles = [norm.register_forward_hook(holder()) for norm in norms.values()]
    try:
        yield norms
    finally:
        for handle in handles:
            handle.remove()


def holder():
    """A hook that keeps the first input's statistics: (B, groups, 1) each."""
    kept = []

    def hook(norm, given, _):
        x = given[0].unflatten(1, (norm.num_groups, -1)).flatten(2)
        kept[:] = kept or [x.mean(2, keepdim=True), (x.var(2, keepdim=True, correction=0) + norm.eps).sqrt()]
        flat = ((x - kept[0]) / kept[1]).reshape_as(given[0])
        per_channel = (-1,) + (1,) * (flat.ndim - 2)
        return flat * norm.weight.view(per_channel) + norm.bias.view(per_channel)

    return hook
