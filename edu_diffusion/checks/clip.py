"""Exercises of lesson 05: how alike captions and pictures are, and the loss that makes pairs agree."""

import torch
from torch.nn.functional import cross_entropy, normalize

from ..steps import contrastive_loss, similarity
from .exercise import Exercise


def unequal():
    """Arguments (text_emb, image_emb, logit_scale), three texts and five pictures; as many again of both."""
    rng = torch.Generator().manual_seed(16)
    return [(torch.randn(n, 4, generator=rng), torch.randn(m, 4, generator=rng), torch.tensor(scale))
            for n, m, scale in ((3, 5, 1.5), (5, 5, 0.4))]


def pairs():
    """Arguments (text_emb, image_emb, logit_scale), row i of both is a pair."""
    rng = torch.Generator().manual_seed(17)
    return [(*torch.randn(2, n, 6, generator=rng), torch.tensor(scale)) for n, scale in ((4, 1.5), (5, 0.4))]


def own(S):
    """The numbers of the right answers: picture i for text i."""
    return torch.arange(len(S))


def both(S, ask=cross_entropy):
    """Ask in both ways, and average."""
    return (ask(S, own(S)) + ask(S.T, own(S))) / 2


def cosines(text_emb, image_emb):
    return normalize(text_emb, dim=-1) @ normalize(image_emb, dim=-1).T


EXERCISES = [
    Exercise("similarity", similarity, unequal, (
        ("these are products of unequal lengths; make every row 1 long first, then they are cosines.",
         lambda text_emb, image_emb, logit_scale: text_emb @ image_emb.T * logit_scale.exp()),
        ("only the texts have length 1; the pictures' rows need it as well.",
         lambda text_emb, image_emb, logit_scale: (
             normalize(text_emb, dim=-1) @ image_emb.T * logit_scale.exp())),
        ("only the pictures have length 1; the texts' rows need it as well.",
         lambda text_emb, image_emb, logit_scale: (
             text_emb @ normalize(image_emb, dim=-1).T * logit_scale.exp())),
        ("these are the cosines; the scale is missing: multiply by exp(logit_scale).",
         lambda text_emb, image_emb, logit_scale: cosines(text_emb, image_emb)),
        ("logit_scale is the logarithm of the scale; multiply by its exp.",
         lambda text_emb, image_emb, logit_scale: cosines(text_emb, image_emb) * logit_scale),
        ("the scale sharpens: multiply by exp(logit_scale), do not divide.",
         lambda text_emb, image_emb, logit_scale: cosines(text_emb, image_emb) / logit_scale.exp()),
        ("a row for each text and a column for each picture are wanted; this is the table turned over.",
         lambda text_emb, image_emb, logit_scale: cosines(image_emb, text_emb) * logit_scale.exp()),
        ("each row must have length 1, not each column: the last dimension, dim=-1.",
         lambda text_emb, image_emb, logit_scale: (
             normalize(text_emb, dim=0) @ normalize(image_emb, dim=0).T * logit_scale.exp())),
        ("the length of a row is the root of the sum of its squares; the root is missing.",
         lambda text_emb, image_emb, logit_scale: (
             (text_emb / text_emb.square().sum(-1, keepdim=True))
             @ (image_emb / image_emb.square().sum(-1, keepdim=True)).T * logit_scale.exp())),
        ("these are distances, small where the two are alike; cosines are wanted.",
         lambda text_emb, image_emb, logit_scale: torch.cdist(text_emb, image_emb) * logit_scale.exp()),
    ), "every text with every picture, in one product."),
    Exercise("contrastive_loss", contrastive_loss, pairs, (
        ("this asks one way only, each text for its picture; ask each picture for its text, too, with S.T.",
         lambda *given: cross_entropy(similarity(*given), own(given[0]))),
        ("this asks one way only, each picture for its text; ask each text for its picture, too, with S.",
         lambda *given: cross_entropy(similarity(*given).T, own(given[0]))),
        ("the two ways are averaged, not added: halve the sum.",
         lambda *given: 2 * both(similarity(*given))),
        ("these are products of unequal lengths; compare cosines, as `similarity` does.",
         lambda text_emb, image_emb, logit_scale: both(text_emb @ image_emb.T * logit_scale.exp())),
        ("the scale is missing: the cosines are multiplied by exp(logit_scale).",
         lambda text_emb, image_emb, logit_scale: both(cosines(text_emb, image_emb))),
        ("logit_scale is the logarithm of the scale; multiply by its exp.",
         lambda text_emb, image_emb, logit_scale: both(cosines(text_emb, image_emb) * logit_scale)),
        ("multiply by exp(logit_scale), do not divide: this is a scale, not a temperature.",
         lambda text_emb, image_emb, logit_scale: both(cosines(text_emb, image_emb) / logit_scale.exp())),
        ("the softmax is done twice: cross_entropy does it itself, and takes S as it is.",
         lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S.softmax(1), i))),
        ("the sign is turned: own pairs must become alike, not different.",
         lambda *given: both(-similarity(*given))),
        ("the right answer of row i is i, torch.arange(B); here it is 0 in every row.",
         lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, 0 * i))),
        ("take the mean over the batch, not the sum: else the loss grows with it.",
         lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i, reduction="sum"))),
        ("one number is wanted: the mean over the batch.",
         lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i, reduction="none"))),
        ("these are probabilities; the loss is minus their logarithm.",
         lambda *given: both(similarity(*given), lambda S, i: S.softmax(1).diagonal().mean())),
        ("this looks at own pairs only; were all captions and pictures one and the same, it would be content.",
         lambda text_emb, image_emb, logit_scale: 1 - cosines(text_emb, image_emb).diagonal().mean()),
    ), "own pairs together, all others apart: this is all that CLIP is trained with."),
]
