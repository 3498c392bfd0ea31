"""CLIP's training objective: a caption should be closer to its own picture than to any other in the batch."""

import torch
import torch.nn.functional as F

__all__ = ["contrastive_loss", "similarity"]


def similarity(text_emb, image_emb, logit_scale):
    """Compare every text with every picture: cosine similarities, sharpened by a learned scale.

    S_ij = exp(logit_scale) cos(text_i, image_j)

    text_emb: (N, width). image_emb: (M, width). logit_scale: a scalar tensor, the scale's logarithm.
    Returns (N, M).
    Source: Radford et al. 2021, figure 3. Twin: transformers.CLIPModel.forward, its logits_per_text.
    """
    text_emb, image_emb = F.normalize(text_emb, dim=-1), F.normalize(image_emb, dim=-1)
    return text_emb @ image_emb.T * logit_scale.exp()


def contrastive_loss(text_emb, image_emb, logit_scale, masked=None):
    """Classify for each text which picture is its own, and for each picture which text; average both losses.

    loss = 1/2 (cross_entropy(S, i) + cross_entropy(S^T, i)), with S = similarity(...); pair i is at S_ii

    text_emb, image_emb: (B, width), row i of both is one pair. logit_scale: a scalar tensor. masked: (B, B) bool, True
    where text i is true of picture j as well: S_ij = -inf leaves it out of the negatives. Matching pairs always count.
    Returns a scalar, log(B) if all similarities are equal and none is masked.
    Source: Radford et al. 2021, figure 3. Twin: transformers.CLIPModel.forward with return_loss=True.
    """
    S = similarity(text_emb, image_emb, logit_scale)
    own = torch.arange(len(S), device=S.device)
    if masked is not None:
        S = S.masked_fill(masked & (own != own[:, None]), -torch.inf)
    return (F.cross_entropy(S, own) + F.cross_entropy(S.T, own)) / 2
