"""Merge the U-Nets of pipelines by a rule: steps.weighted_sum, steps.add_difference, or a learner's own."""

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from ..errors import EduError
from . import single_file, validate, weights
from .build import PARTS, assemble
from .sentences import first_line
from .silence import quiet

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

Weights = dict[str, torch.Tensor]


def merged(rule: Callable[..., Weights], *pipes: "StableDiffusionPipeline", **settings: object) -> "StableDiffusionPipeline":
    """A new pipeline whose U-Net is `rule` of the pipelines' U-Nets; all other parts are the first pipeline's own.

        models.merged(steps.weighted_sum, base, other, weight=0.3)
        models.merged(steps.add_difference, a, b, base, weight=1.0)

    rule: takes a state dict {name: tensor}, float32, of each pipeline and the settings, and returns another one. The
    pipelines stay unchanged. Raises EduError for U-Nets whose tensors have other names or shapes, or that predict different
    things, for a pipeline with an adapter that is not fused, and for a result that is no such state dict.
    """
    states = alike(pipes)
    try:
        result = rule(*states, **settings)
    except (TypeError, ValueError) as error:
        raise EduError(
            f"The rule {getattr(rule, '__name__', rule)!r} cannot merge {len(pipes)} U-Nets: {first_line(error)}"
        ) from error
    if not isinstance(result, dict) or not all(map(torch.is_tensor, result.values())):
        raise EduError(f"The rule returned a {type(result).__name__}; it must return a dict of tensors, like those it is given.")
    validate.tensors("What the rule returned", shapes(states[0]), shapes(result))
    weights.refuse_infinite("The merged U-Net", result)
    unet = copy.deepcopy(pipes[0].unet)
    unet.load_state_dict(result)
    with quiet():
        pipe = assemble(*(unet if part == "unet" else getattr(pipes[0], part) for part in PARTS))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def alike(pipes):
    """The state dicts of the pipelines' U-Nets, in float32. Raises EduError unless they can be added up."""
    if len(pipes) < 2:
        raise EduError(f"Merging takes at least two pipelines, not {len(pipes)}: pass them after the rule.")
    for pipe in pipes:
        single_file.plain(pipe)
    first, *others = pipes
    for other in others:
        validate.tensors("A pipeline to merge", weights.shapes(first.unet), weights.shapes(other.unet))
        kinds = [pipe.scheduler.config.get("prediction_type", "epsilon") for pipe in (first, other)]
        if kinds[0] != kinds[1]:
            raise EduError(
                f"One U-Net predicts {kinds[0]} and the other {kinds[1]}: their mean predicts neither; merge models of one kind."
            )
    device = first.unet.device
    return [
        {name: t.detach().to(device, torch.float32) if t.is_floating_point() else t for name, t in pipe.unet.state_dict().items()}
        for pipe in pipes
    ]


def shapes(state):
    """{name: shape} of a state dict."""
    return {name: tuple(tensor.shape) for name, tensor in state.items()}
