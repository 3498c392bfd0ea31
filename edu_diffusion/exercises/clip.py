"""Questions of lesson 05: text embeddings, similarity, the contrastive loss, and what a trained CLIP can and cannot do."""

import torch
from torch.nn.functional import cross_entropy, normalize

from ..steps import contrastive_loss, similarity
from .clip_choices import CHANGED_ROWS, GUESSING, MISTAKES
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


def zero_shot(image_emb, text_emb, logit_scale):
    """For every image the probability of each text, (N, texts): each row adds up to 1."""
    return similarity(text_emb, image_emb, logit_scale).T.softmax(dim=1)


def classes():
    """Arguments (image_emb, text_emb, logit_scale): four images and two texts, then three and five."""
    rng = torch.Generator().manual_seed(18)
    return [
        (torch.randn(n, 4, generator=rng), torch.randn(m, 4, generator=rng), torch.tensor(scale))
        for n, m, scale in ((4, 2, 1.5), (3, 5, 0.4))
    ]


EXERCISES = [
    CHANGED_ROWS,
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
                "this is transposed: the result needs a row for each text and a column for each image.",
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
                "norm() without a dimension is one length for the whole table; each row needs its own.",
                lambda text_emb, image_emb, logit_scale: (
                    text_emb @ image_emb.T / (text_emb.norm() * image_emb.norm()) * logit_scale.exp()
                ),
            ),
            (
                "this is already a softmax; return the table of similarities.",
                lambda text_emb, image_emb, logit_scale: similarity(text_emb, image_emb, logit_scale).softmax(1),
            ),
            (
                "these are distances, which are small for similar vectors; compute cosines.",
                lambda text_emb, image_emb, logit_scale: torch.cdist(text_emb, image_emb) * logit_scale.exp(),
            ),
            (
                "exp belongs to logit_scale alone; here the cosines stand in the exponent, too.",
                lambda text_emb, image_emb, logit_scale: (cosines(text_emb, image_emb) * logit_scale).exp(),
            ),
            (
                "check the brackets: here the table is divided by one length and multiplied by the other; divide by both.",
                lambda text_emb, image_emb, logit_scale: (
                    text_emb @ image_emb.T / text_emb.norm(dim=1)[:, None] * image_emb.norm(dim=1) * logit_scale.exp()
                ),
            ),
            (
                "the length of a row is the root of the sum of its squares, not the sum of its numbers.",
                lambda text_emb, image_emb, logit_scale: (
                    (text_emb / text_emb.sum(1, keepdim=True)) @ (image_emb / image_emb.sum(1, keepdim=True)).T * logit_scale.exp()
                ),
            ),
            (
                "each row is divided by its own length: keep the dimension, .norm(dim=1, keepdim=True).",
                lambda text_emb, image_emb, logit_scale: text_emb / text_emb.norm(dim=1),
            ),
            (
                "each text is compared with one image here; for all pairs, make a column of the texts' numbers with [:, None].",
                lambda text_emb, image_emb, logit_scale: text_emb.norm(dim=1) * image_emb.norm(dim=1),
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
                "this is one direction only, from each text to its image; add the other one, from each image to "
                "its text, with S.T.",
                lambda *given: cross_entropy(similarity(*given), own(given[0])),
            ),
            (
                "this is one direction only, from each image to its text; add the other one, from each text to its image, with S.",
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
                "the logarithm is missing: the loss is -log(p), not -p.",
                lambda *given: -both(similarity(*given), lambda S, i: S.softmax(1).diagonal().mean()),
            ),
            (
                "these are the scores of the matching pairs alone; cross-entropy compares each with all the others in its row.",
                lambda *given: -similarity(*given).diagonal().mean(),
            ),
            (
                "the right column is not the one with the largest score, but that of its own image: torch.arange(B).",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, S.argmax(1))),
            ),
            (
                "S is exponentiated twice: the softmax inside cross_entropy does it, so give it S as it is, without exp.",
                lambda *given: both(similarity(*given).exp()),
            ),
            (
                "the softmax runs over the whole table; the answers to one question are one row, or one column.",
                lambda *given: both(similarity(*given), lambda S, i: -S.flatten().log_softmax(0)[:: len(S) + 1].mean()),
            ),
            (
                "the scores come first, and then the labels: cross_entropy(S, own).",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(i, S)),
            ),
            (
                "labels are whole numbers: torch.arange(B) as it is, without .float().",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i.float())),
            ),
            (
                "labels count from 0, as indices do: the last row has the label B - 1.",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i + 1)),
            ),
            (
                "there is one label for each row of the table: torch.arange(len(S)).",
                lambda *given: cross_entropy(similarity(*given), torch.arange(given[0].shape[1])),
            ),
            (
                "the labels must be a tensor, torch.arange(B), not a list.",
                lambda *given: both(similarity(*given), lambda S, i: cross_entropy(S, i.tolist())),
            ),
            (
                "these are dot products, not divided by the lengths and without the learned scale; `similarity` does both.",
                lambda text_emb, image_emb, logit_scale: both(text_emb @ image_emb.T),
            ),
            (
                "this uses matching pairs only; it would be smallest if all captions and images had one and the same embedding.",
                lambda text_emb, image_emb, logit_scale: 1 - cosines(text_emb, image_emb).diagonal().mean(),
            ),
        ),
        "matching pairs together, all others apart: this is the whole training objective of CLIP.",
        lines=(
            "def my_contrastive_loss(text_emb, image_emb, logit_scale):",
            "    S = similarity(text_emb, image_emb, logit_scale)",
            "    own = torch.arange(len(S))",
            "    of_texts = torch.nn.functional.cross_entropy(S, own)",
            "    of_images = torch.nn.functional.cross_entropy(S.T, own)",
            "    return (of_texts + of_images) / 2",
        ),
    ),
    GUESSING,
    MISTAKES,
    Exercise(
        "zero_shot",
        zero_shot,
        classes,
        (
            (
                "the softmax runs over the images; for every image the probabilities of all texts must add up to 1.",
                lambda image_emb, text_emb, logit_scale: similarity(text_emb, image_emb, logit_scale).T.softmax(0),
            ),
            (
                "the probabilities are right, but transposed: return a row for each image and a column for each text.",
                lambda image_emb, text_emb, logit_scale: similarity(text_emb, image_emb, logit_scale).softmax(0),
            ),
            (
                "the texts have to compete for each image, not the images for each text; and the result needs a row for "
                "each image.",
                lambda image_emb, text_emb, logit_scale: similarity(text_emb, image_emb, logit_scale).softmax(1),
            ),
            (
                "these are similarities, not probabilities: they may be negative and do not add up to 1.",
                lambda image_emb, text_emb, logit_scale: similarity(text_emb, image_emb, logit_scale).T,
            ),
            (
                "the embeddings are not normalised, so that their lengths count as well.",
                lambda image_emb, text_emb, logit_scale: (image_emb @ text_emb.T * logit_scale.exp()).softmax(1),
            ),
            (
                "the learned scale is missing; without it the probabilities are too even.",
                lambda image_emb, text_emb, logit_scale: cosines(image_emb, text_emb).softmax(1),
            ),
            (
                "logit_scale is the logarithm of the scale.",
                lambda image_emb, text_emb, logit_scale: (cosines(image_emb, text_emb) * logit_scale).softmax(1),
            ),
            (
                "these are dot products, not divided by the lengths and without the learned scale; `similarity` does both.",
                lambda image_emb, text_emb, logit_scale: (image_emb @ text_emb.T).softmax(1),
            ),
            (
                "these are positive, but do not add up to 1 yet for each image.",
                lambda image_emb, text_emb, logit_scale: similarity(image_emb, text_emb, logit_scale).exp(),
            ),
            (
                "this is the probability of the best text only; return those of all texts.",
                lambda image_emb, text_emb, logit_scale: similarity(image_emb, text_emb, logit_scale).softmax(1).amax(1),
            ),
            (
                "the sign is wrong: the least similar text gets the highest probability.",
                lambda image_emb, text_emb, logit_scale: (-similarity(image_emb, text_emb, logit_scale)).softmax(1),
            ),
            (
                "these are logarithms of probabilities.",
                lambda image_emb, text_emb, logit_scale: similarity(image_emb, text_emb, logit_scale).log_softmax(1),
            ),
            (
                "a sigmoid judges every text alone; the texts are alternatives, so their probabilities add up to 1.",
                lambda image_emb, text_emb, logit_scale: similarity(image_emb, text_emb, logit_scale).sigmoid(),
            ),
            (
                "this is the number of the best text; return the probabilities of all texts.",
                lambda image_emb, text_emb, logit_scale: similarity(image_emb, text_emb, logit_scale).argmax(1),
            ),
            (
                "dividing by the sum makes no probabilities of numbers that may be negative; which function turns logits into "
                "probabilities?",
                lambda image_emb, text_emb, logit_scale: (
                    cosines(image_emb, text_emb) / cosines(image_emb, text_emb).sum(1, keepdim=True)
                ),
            ),
            (
                "reshape does not exchange rows and columns, it only cuts the numbers into other rows; use .T.",
                lambda image_emb, text_emb, logit_scale: (
                    similarity(text_emb, image_emb, logit_scale).reshape(len(image_emb), -1).softmax(1)
                ),
            ),
            (
                "`similarity` takes logit_scale as it is; the exp is inside.",
                lambda image_emb, text_emb, logit_scale: similarity(image_emb, text_emb, logit_scale.exp()).softmax(1),
            ),
            (
                "the softmax runs over the whole table; the probabilities of each row must add up to 1.",
                lambda image_emb, text_emb, logit_scale: (
                    similarity(image_emb, text_emb, logit_scale).flatten().softmax(0).reshape(len(image_emb), -1)
                ),
            ),
            (
                "this gives the best text a 1 and all others a 0; return how probable each of them is.",
                lambda image_emb, text_emb, logit_scale: torch.eye(len(text_emb))[cosines(image_emb, text_emb).argmax(1)],
            ),
        ),
        "any list of captions has become a classifier, without a single training step.",
    ),
]
