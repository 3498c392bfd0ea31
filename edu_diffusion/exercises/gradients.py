"""Whether a learner's result carries the gradients that training needs: .item(), .detach() and no_grad cut them off."""

import inspect

import torch

from ..errors import said
from .careful import Fault


def tracked(*tensors: torch.Tensor) -> list[torch.Tensor]:
    """The same tensors as results of a computation: gradients flow back to them, and a function may still write into them."""
    return [x.requires_grad_().clone() for x in tensors]


def check_gradients(exercise, given, returned):
    """Raise Fault unless gradients flow back from a learner's results wherever they do from the reference's."""
    for case, own, result in zip(exercise.cases(), given, returned):
        wanted = reached(exercise.reference(*case), case)
        if not wanted:
            continue
        if not torch.is_tensor(result) or not result.requires_grad:
            raise Fault(
                said(
                    "the numbers are right, but no gradient flows back from them, so nothing could be trained: "
                    "leave out .item(), .detach() and no_grad."
                )
            )
        for i in sorted(wanted - reached(result, own)):
            name = list(inspect.signature(exercise.reference).parameters)[i]
            raise Fault(
                said("the numbers are right, but no gradient flows back to {}; leave out .detach() and no_grad there.", name)
            )


def reached(result, given):
    """The places of the arguments to which a gradient of the result flows back; a network counts by its first weight."""
    sources = {i: x for i, x in enumerate(map(source, given)) if x is not None}
    if not sources or not result.requires_grad:
        return set()
    try:
        found = torch.autograd.grad(result.sum(), list(sources.values()), allow_unused=True)
    except RuntimeError:
        raise Fault(
            said(
                "the numbers are right, but no gradient can be computed: something is changed in place that the gradient "
                "needs, perhaps by += or by an operation that ends in _."
            )
        ) from None
    return {i for i, gradient in zip(sources, found) if gradient is not None}


def source(argument):
    """The tensor of an argument to which gradients flow back, or None."""
    if isinstance(argument, torch.nn.Module):
        return next(argument.parameters(), None)
    return argument if torch.is_tensor(argument) and argument.requires_grad else None
