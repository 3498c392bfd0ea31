"""StyleAligned: a batch of pictures that share one style, without any training.

In self-attention every picture also attends to the first one, the style reference. To make it attend strongly,
its queries and keys are given the reference's mean and standard deviation (AdaIN). The first picture itself is
generated as usual.
"""

import math
from contextlib import contextmanager

import torch

from .attention import multi_head_attention, split_heads
from .processors import crossed, processed
from .validate import StepError

__all__ = ["AlignedProcessor", "adain", "aligned", "aligned_attend"]


def adain(x, reference, eps=1e-5):
    """Give x the mean and standard deviation of a reference, channel by channel (adaptive instance normalisation).

    std(reference) (x - mean(x)) / std(x) + mean(reference), over the tokens, std = sqrt(variance + eps)

    x: (B, N, width). reference: (B, M, width). Returns (B, N, width).
    Source: Huang and Belongie 2017, eq. 8. Twin: torch.nn.functional.instance_norm, scaled and shifted.
    """
    std, mean = ((x.var(1, correction=0, keepdim=True) + eps) ** 0.5, x.mean(1, keepdim=True))
    to_std = (reference.var(1, correction=0, keepdim=True) + eps) ** 0.5
    return to_std * (x - mean) / std + reference.mean(1, keepdim=True)


def aligned_attend(attn, x, pictures, normalise=adain, weight=1.0):
    """Self-attention in which every picture attends to itself and to the first picture.

    out(attention(q', [k_1, k'], [v_1, v], [log weight, 0])), with q' = adain(q, q_1) and k' = adain(k, k_1);
    _1: of the first picture

    attn: diffusers' Attention. x: (groups pictures, N, width): with guidance there are two groups, the
    unconditional and the conditional one, and each has its own first picture. normalise: your
    own function (x, reference) in place of adain. weight: how many times each key of the first picture counts,
    above 0. Returns a tensor like x. Source: Hertz et al. 2024, figure 4, where weight is 1.
    Twin: diffusers.models.attention_processor.Attention.forward.
    """
    whole_groups(x, pictures)
    q, k, v = attn.to_q(x), attn.to_k(x), attn.to_v(x)
    q_1, k_1, v_1 = (first(y, pictures) for y in (q, k, v))
    q, k, v = normalise(q, q_1), torch.cat([k_1, normalise(k, k_1)], 1), torch.cat([v_1, v], 1)
    q, k, v = (split_heads(y, attn.heads) for y in (q, k, v))
    bias = x.new_tensor([math.log(weight), 0.0]).repeat_interleave(x.shape[1])
    linear, dropout = attn.to_out
    return dropout(linear(multi_head_attention(q, k, v, bias).transpose(1, 2).flatten(2)))


def first(x, pictures):
    """Repeat the first picture of each group for every picture of it: (groups pictures, N, width) -> the same shape."""
    groups = x.unflatten(0, (-1, pictures))
    return groups[:, :1].expand_as(groups).flatten(0, 1)


def whole_groups(x, pictures):
    """Raise ValueError for a batch that does not consist of whole groups."""
    if pictures < 1 or len(x) % pictures:
        raise StepError(f"The batch has {len(x)} rows, but {pictures} pictures were announced (twice as many "
                         "rows with guidance); give the number of prompts.")


class AlignedProcessor:
    """An attention processor that runs `aligned_attend`; the first picture goes through the previous processor."""

    def __init__(self, before, pictures, normalise=adain, weight=1.0):
        self.before = before
        self.pictures = pictures
        self.how = normalise, weight

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None,
                 **more):
        plain = self.before(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **more)
        others = aligned_attend(attn, hidden_states, self.pictures, *self.how)
        alone = torch.arange(len(plain), device=plain.device) % self.pictures == 0
        return torch.where(alone[:, None, None], plain, others)


@contextmanager
def aligned(unet, pictures, normalise=adain, weight=1.0):
    """Make the pictures of a batch follow the style of the first one inside the `with` block, in `generate` or elsewhere.

    unet: diffusers' UNet2DConditionModel. pictures: how many prompts are in the batch. The first picture
    is bit for bit the one that the same batch gives without this. normalise: your own function in place of
    adain. weight: how many times each key of the first picture counts; more means more of its style and less
    prompt adherence. Yields the U-Net. Raises ValueError for an attention module that `attend` does not support, and
    for a weight that is not above 0. Source: Hertz et al. 2024, figure 4. Twin:
    diffusers.UNet2DConditionModel.set_attn_processor.
    """
    if not weight > 0:
        raise StepError(f"weight is {weight}; it must be above 0, and at 1 all keys count equally.")

    def make(name, old):
        return None if crossed(name) else AlignedProcessor(old, pictures, normalise, weight)

    with processed(unet, make):
        yield unet
