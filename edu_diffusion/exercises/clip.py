"""Exercises of lesson 05: the similarity of captions and pictures, and the contrastive loss."""

import torch
from torch.nn.functional import cross_entropy, normalize

from ..steps import contrastive_loss, similarity
from .exercise import Exercise
from .gradients import tracked


def unequal():
    """Arguments (text_emb, image_emb, logit_scale): three texts and five pictures, then five of each."""
    rng = torch.Generator().manual_seed(16)
    return [
        tuple(tracked(torch.randn(n, 4, generator=rng), torch.randn(m, 4, generator=rng), torch.tensor(scale)))
        for n, m, scale in ((3, 5, 1.5), (5, 5, 0.4))
    ]


def pairs():
    """Arguments (text_emb, image_emb, logit_scale); row i of both is a pair."""
    rng = torch.Generator().manual_seed(17)
    return [tuple(tracked(*torch.randn(2, n, 6, generator=rng), torch.tensor(scale))) for n, scale in ((4, 1.5), (5, 0.4))]


def own(S):
    """The labels of the correct pairs: picture i for text i."""
    return torch.arange(len(S))


def both(S, ask=cross_entropy):
    """Average the loss over both directions."""
    return (ask(S, own(S)) + ask(S.T, own(S))) / 2


def cosines(text_emb, image_emb):
    return normalize(text_emb, dim=-1) @ normalize(image_emb, dim=-1).T


EXERCISES = [
    Exercise(
        "similarity",
        similarity,
        unequal,
        (
            (
                "these are dot products of vectors of unequal lengths; normalise every row to length 1 first, "
                "then they are cosines.",
                lambda text_emb, image_emb, logit_scale: text_emb @ image_emb.T * logit_scale.exp(),
            ),
            (
                "only the text embeddings are normalised; the image embeddings need length 1 as well.",
                lambda text_emb, image_emb, logit_scale: normalize(text_emb, dim=-1) @ image_emb.T * logit_scale.exp(),
            ),
            (
                "only the image embeddings are normalised; the text embeddings need length 1 as well.",
                lambda text_emb, image_emb, logit_scale: text_emb @ normalize(image_emb, dim=-1).T * logit_scale.exp(),
            ),
            (
                "these are the cosines; the scale is missing: multiply by exp(logit_scale).",
                lambda text_emb, image_emb, logit_scale: cosines(text_emb, image_emb),
            ),
            (
                "logit_scale is the logarithm of the scale; multiply by its exp.",
                lambda text_emb, image_emb, logit_scale: cosines(text_emb, image_emb) * logit_scale,
            ),
            (
                "the scale sharpens: multiply by exp(logit_scale), do not divide.",
                lambda text_emb, image_emb, logit_scale: cosines(text_emb, image_emb) / logit_scale.exp(),
            ),
            (
                "this is transposed: the result needs a row for each text and a column for each picture.",
                lambda text_emb, image_emb, logit_scale: cosines(image_emb, text_emb) * logit_scale.exp(),
            ),
            (
                "each row must have length 1, not each column: the last dimension, dim=-1.",
                lambda text_emb, image_emb, logit_scale: (
                    normalize(text_emb, dim=0) @ normalize(image_emb, dim=0).T * logit_scale.exp()
                ),
            ),
            (
                "the length of a row is the square root of the sum of its squares; the square root is missing.",
                lambda text_emb, image_emb, logit_scale: (
                    (text_emb / text_emb.square().sum(-1, keepdim=True))
                    @ (image_emb / image_emb.square().sum(-1, keepdim=True)).T
                    * logit_scale.exp()
                ),
            ),
            (
                "these are distances, which are small for similar vectors; compute cosines.",
                lambda text_emb, image_emb, logit_scale: torch.cdist(text_emb, image_emb) * logit_scale.exp(),
            ),
        ),
        "one matrix product compares every text with every picture.",
    ),
    Exercise(
        "contrastive_loss",
        contrastive_loss,
        pairs,
        (
            (
                "this is one direction only, from each text to its picture; add the other one, from each picture to "
                "its text, with S.T.",
                lambda *given: cross_entropy(similarity(*given), own(given[0])),
            ),
            (
                "this is one direction only, from each picture to its text; add the other one, from each text to "
                "its picture, with S.",
                lambda *given: cross_entropy(similarity(*given).T, own(given[0])),
            ),
            (
                "the losses of the two directions are averaged, not added: halve the sum.",
                lambda *given: 2 * both(similarity(*given)),
            ),
            (
                "these are dot products of vectors of unequal lengths; use cosines, as `similarity` does.",
                lambda text_emb, image_emb, logit_scale: both(text_emb @ image_emb.T * logit_scale.exp()),
            ),
            (
                "the scale is missing: the cosines are multiplied by exp(logit_scale).",
                lambda text_emb, image_emb, logit_scale: both(cosines(text_emb, image_emb)),
            ),
            (
                "logit_scale is the logarithm of the scale; multiply by its exp.",
                lambda text_emb, image_emb, logit_scale: both(cosines(text_emb, image_emb) * logit_scale),
            ),
            (
                "multiply by exp(logit_scale), do not divide: this is a scale, not a temperature.",
                lambda text_emb, image_emb, logit_scale: both(cosines(text_emb, image_emb) / logit_scale.exp()),
            ),
            (
                "the softmax is applied twice: cross_entropy applies it itself, so give it S as it is.",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S.softmax(1), i)),
            ),
            ("the sign is wrong: matching pairs must become similar, not different.", lambda *given: both(-similarity(*given))),
            (
                "the label of row i is i, torch.arange(B); here it is 0 in every row.",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, 0 * i)),
            ),
            (
                "take the mean over the batch, not the sum: otherwise the loss grows with the batch size.",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i, reduction="sum")),
            ),
            (
                "the loss must be a single number: the mean over the batch.",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i, reduction="none")),
            ),
            (
                "these are probabilities; the loss is their negative logarithm.",
                lambda *given: both(similarity(*given), lambda S, i: S.softmax(1).diagonal().mean()),
            ),
            (
                "this uses matching pairs only; it would be smallest if all captions and pictures had one and the same embedding.",
                lambda text_emb, image_emb, logit_scale: 1 - cosines(text_emb, image_emb).diagonal().mean(),
            ),
        ),
        "matching pairs together, all others apart: this is the whole training objective of CLIP.",
    ),
]
