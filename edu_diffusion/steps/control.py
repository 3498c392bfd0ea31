"""ControlNet: a second network that reads a condition map and gives the U-Net a residual to add at every skip.

The *trainable copy* is a copy of the U-Net's down blocks and mid block, with all their weights. It starts with
all that the U-Net has learned about pictures, and it is trained while the U-Net itself stays frozen. The condition
is added to its input, and all of its outputs go through *zero convolutions*: these give 0 until training
changes their weights, so an untrained ControlNet changes nothing.

`condition`: (B, 3, H, W) in [0, 1], as large as the picture. `residuals`: a list with a tensor for each skip.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F

from .supported import check_inputs, check_supported
from .unet import down_block, mid_block, time_embedding
from .validate import StepError, number

__all__ = ["Control", "condition_embedding", "control_edit", "control_forward", "zero_conv"]

SHAPE = ("in_channels", "block_out_channels", "down_block_types", "layers_per_block", "cross_attention_dim")


class Control(NamedTuple):
    """A ControlNet and its settings, for `generate`; the residuals of a list of several are added up.

    net: diffusers' ControlNetModel, or your own function (z_t, t, c, condition, scale) -> (residuals,
    residual of the mid block). start, end: the fraction of the steps in which it is active; the first are the noisiest.
    """

    net: object
    condition: torch.Tensor  # (B, 3, H, W) in [0, 1], or (1, 3, H, W) for all pictures
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0


def zero_conv(h, weight, bias):
    """Mix the channels at every position by one matrix: a 1 x 1 convolution whose weight and bias start at 0.

    W h + b

    h: (B, channels, h, w). weight: (channels out, channels, 1, 1). bias: (channels out,).
    Returns (B, channels out, h, w).
    Source: Zhang et al. 2023 (ControlNet), section 3.1. Twin: torch.nn.functional.conv2d.
    """
    return torch.einsum("oc,bchw->bohw", weight[:, :, 0, 0], h) + bias[:, None, None]


def condition_embedding(embedding, condition):
    """Turn the condition into feature maps of the latent's size: every second convolution halves the size.

    conv_out(silu(... silu(conv_in(condition)))); conv_out starts at zero

    embedding: diffusers' ControlNetConditioningEmbedding. condition: (B, 3, H, W).
    Returns (B, channels, h, w).
    Source: Zhang et al. 2023 (ControlNet), section 3.2.
    Twin: diffusers.models.controlnets.controlnet.ControlNetConditioningEmbedding.forward.
    """
    h = F.silu(embedding.conv_in(condition))
    for conv in embedding.blocks:
        h = F.silu(conv(h))
    return embedding.conv_out(h)


def control_forward(controlnet, z_t, t, c, condition, scale=1.0, zero_conv=zero_conv, added=None):
    """Compute the residuals to be added at every skip of a U-Net and to its mid block.

    conv_in(z_t) + embedding of the condition; down (keep the skips), mid; scale * zero_conv of each

    controlnet: diffusers' ControlNetModel. z_t, t, c: as for unet_forward. condition: (B, 3, H, W) in [0, 1].
    scale: the conditioning scale. zero_conv: your own function (h, weight, bias) in its place.
    added: for Stable Diffusion XL, as for unet_forward.
    Returns (residuals, residual of the mid block), shaped like the U-Net's skips and its mid.
    Raises ValueError for a ControlNet with further inputs or other blocks, or wrong shapes.
    Source: Zhang et al. 2023 (ControlNet), section 3.2. Twin: diffusers.ControlNetModel.forward.
    """
    check_inputs(controlnet, z_t, t, c)
    temb = time_embedding(controlnet, t, z_t, added)
    h = controlnet.conv_in(z_t) + condition_embedding(controlnet.controlnet_cond_embedding, condition)
    skips = [h]
    for block in controlnet.down_blocks:
        h = down_block(block, h, temb, c, skips)
    skips.append(mid_block(controlnet.mid_block, h, temb, c))
    convs = [*controlnet.controlnet_down_blocks, controlnet.controlnet_mid_block]
    answers = [zero_conv(h, conv.weight, conv.bias) * scale for h, conv in zip(skips, convs, strict=True)]
    return answers[:-1], answers[-1]


def control_edit(residuals, mid):
    """Return the `edit` for `unet_forward` that adds a ControlNet's residuals.

    skip_i + residual_i, and mid + its residual

    residuals, mid: as `control_forward` returns them. Returns a function (name, tensor) -> tensor.
    Source: Zhang et al. 2023 (ControlNet), section 3.2. Twin: diffusers.UNet2DConditionModel.forward, with
    down_block_additional_residuals and mid_block_additional_residual.
    """
    added = {f"skip.{i}": residual for i, residual in enumerate(residuals)} | {"mid": mid}
    return lambda name, h: h + added[name] if name in added else h


class ControlledUNet(torch.nn.Module):
    """A U-Net with the ControlNets that condition it; called like the U-Net."""

    def __init__(self, unet, controls, levels):
        super().__init__()
        self.unet, self.controls = unet, [(control, *span(control, levels)) for control in controls]
        self.nets = torch.nn.ModuleList(c.net for c in controls if isinstance(c.net, torch.nn.Module))

    def forward(self, z_t, t, encoder_hidden_states, return_dict=False, **more):
        c = encoder_hidden_states
        now = [residuals_of(control, z_t, t, c, **more) for control, low, high in self.controls if low <= t <= high]
        named = ("down_block_additional_residuals", "mid_block_additional_residual")
        added = dict(zip(named, total(now), strict=True)) if now else {}
        return self.unet(z_t, t, encoder_hidden_states=c, return_dict=return_dict, **added, **more)


def with_controls(unet, control, pairs, batch):
    """Return the U-Net as it is, or with its ControlNets; raise ValueError for a control that does not fit it."""
    if control is None:
        return unet
    controls = [control] if isinstance(control, Control) else control
    for one in controls if isinstance(controls, (list, tuple)) else [control]:
        check_control(one, unet, batch)
    return ControlledUNet(unet, controls, [t for t, _ in pairs])


def span(control, levels):
    """Return the lowest and the highest timestep at which a control is active, counted as the library does."""
    n, (_, _, _, start, end) = len(levels), control
    on = [t for i, t in enumerate(levels) if not (i / n < start or (i + 1) / n > end)]
    return min(on, default=math.inf), max(on, default=-math.inf)


def residuals_of(control, z_t, t, c, **more):
    """Return one control's residuals; the condition is repeated for the unconditional and conditional half."""
    condition = control.condition.to(z_t).repeat(len(z_t) // len(control.condition), 1, 1, 1)
    if isinstance(control.net, torch.nn.Module):
        check_size(condition, z_t, len(control.net.config.conditioning_embedding_out_channels) - 1)
        return control.net(z_t, t, c, condition, control.weight, **more)[:2]
    return control.net(z_t, t, c, condition, control.weight)[:2]


def total(answers):
    """Add up the residuals of several controls."""
    (down, mid), *others = answers
    for more, deep in others:
        down, mid = [a + b for a, b in zip(down, more, strict=True)], mid + deep
    return down, mid


def check_control(control, unet, batch):
    """Raise ValueError unless this is a Control that fits the U-Net and the number of pictures."""
    if not isinstance(control, Control):
        raise StepError(f"control is {type(control).__name__}; it must be a Control(net, condition), "
                         "or a list of them.")
    check_condition(control.condition, batch)
    check_weight(control.weight, control.start, control.end)
    if isinstance(control.net, torch.nn.Module):
        check_configuration(control.net, unet)


def check_weight(weight, start, end):
    """Raise ValueError for a weight, start or end out of range."""
    if not number(weight) or not 0 <= start < end <= 1:
        raise StepError(f"The control's weight is {weight!r}, start {start!r}, end {end!r}; the weight must "
                         "be a finite number, and 0 <= start < end <= 1.")


def check_condition(x, batch):
    """Raise ValueError for a condition of the wrong shape, number or range."""
    if not torch.is_tensor(x) or x.ndim != 4 or x.shape[1] != 3 or len(x) not in (1, batch):
        raise StepError(f"The condition is {tuple(getattr(x, 'shape', ()))}; it must be a tensor "
                         f"(1, 3, H, W), or with one map for each of the {batch} pictures.")
    if not 0 <= x.min() <= x.max() <= 1:
        raise StepError(f"The condition goes from {x.min():.2g} to {x.max():.2g}; it must be within [0, 1].")


def check_configuration(net, unet):
    """Raise ValueError unless a ControlNet was made for a U-Net of this configuration."""
    check_supported(net)
    for name in SHAPE:
        mine, its = (listed(part.config[name]) for part in (net, unet))
        if mine != its:
            raise StepError(f"This ControlNet has {name} = {mine}, the U-Net {its}; it was made for another "
                             "model.")


def check_size(condition, z_t, halvings):
    """Raise ValueError unless the condition, halved this many times, is as large as the latent."""
    wanted = [n * 2**halvings for n in z_t.shape[2:]]
    if list(condition.shape[2:]) != wanted:
        raise StepError(f"The condition has {list(condition.shape[2:])} pixels; for this latent it must "
                         f"have {wanted}.")


def listed(value):
    """Return tuples as lists: a configuration read from a file has lists where a new one has tuples."""
    return list(value) if isinstance(value, (list, tuple)) else value
