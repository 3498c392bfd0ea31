"""LoRA: a low-rank change of a large weight matrix, stored beside it.

W stays frozen. Two small matrices are trained instead: A projects the input down to `rank` numbers, B
projects these up again. Their product has the shape of W, but far fewer parameters.

An adapter for one layer is written (A, B, alpha, weight): alpha is a fixed scale, chosen for the training
(the change is multiplied by alpha / rank), weight is set at inference: 0 is the base model, 1 is as trained.
Several may be used at once; they add up.
"""

import torch

from .validate import StepError

__all__ = ["lora_delta", "lora_init", "lora_linear", "lora_merge"]


def lora_init(W, rank, generator=None):
    """Initialise an adapter of W so that it does not change anything yet.

    A ~ N(0, 1 / rank^2), B = 0, so that B A = 0

    W: (out, in), or a convolution's (out, in, h, w). rank: at least 1, or ValueError is raised.
    Returns A, (rank, in) or (rank, in, h, w), and B, (out, rank) or (out, rank, 1, 1).
    Source: Hu et al. 2022, section 4.1. Twin: peft.tuners.lora.layer.LoraLayer.reset_lora_parameters.
    """
    if not rank >= 1:
        raise StepError(f"rank is {rank}; it must be at least 1.")
    A = torch.randn(rank, *W.shape[1:], generator=generator).to(W) / rank
    return A, W.new_zeros(len(W), rank, *[1] * (W.ndim - 2))


def lora_delta(A, B, alpha):
    """Return the change of the weight that the two low-rank matrices encode.

    delta W = (alpha / rank) B A

    A: (rank, in) or a convolution's (rank, in, h, w). B: (out, rank) or (out, rank, 1, 1). alpha: a number.
    Returns (out, in) or (out, in, h, w).
    Source: Hu et al. 2022, section 4.1. Twin: peft.tuners.lora.layer.Linear.get_delta_weight.
    """
    return alpha / len(A) * (B.flatten(1) @ A.flatten(1)).unflatten(1, A.shape[1:])


def lora_linear(linear, x, *adapters):
    """A linear layer with adapters beside it: its own output plus that of each adapter.

    y = W x + b + sum of weight (alpha / rank) B (A x)

    linear: torch.nn.Linear. x: (..., in). adapters: any number of (A, B, alpha, weight). Returns (..., out).
    Source: Hu et al. 2022, eq. 3. Twin: peft.tuners.lora.layer.Linear.forward.
    """
    y = linear(x)
    for A, B, alpha, weight in adapters:
        y = y + weight * alpha / len(A) * (x @ A.T @ B.T)
    return y


def lora_merge(W, *adapters):
    """Merge adapters into the weight: the same outputs as with them beside it, at no extra cost.

    W' = W + sum of weight (alpha / rank) B A

    W: (out, in) or (out, in, h, w). adapters: any number of (A, B, alpha, weight). Returns a new weight like
    W. Source: Hu et al. 2022, section 4.1. Twin: diffusers.StableDiffusionPipeline.fuse_lora.
    """
    for A, B, alpha, weight in adapters:
        W = W + weight * lora_delta(A, B, alpha)
    return W
