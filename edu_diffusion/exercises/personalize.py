"""Exercises of lesson 12: losses and gradients of personalisation."""

import torch

from .exercise import Exercise
from .gradients import tracked


def prior_loss(own, prior, weight):
    return own.square().mean() + weight * prior.square().mean()


def only_row(gradient, row):
    kept = torch.zeros_like(gradient)
    kept[row] = gradient[row]
    return kept


def wrong_answers():
    """Arguments (own, prior, weight): the errors of a network's predictions for the subject and for its class."""
    rng = torch.Generator().manual_seed(14)
    return [
        (*tracked(torch.randn(3, 4, 4, 4, generator=rng) + 0.3, torch.randn(3, 4, 4, 4, generator=rng) * 0.5 - 0.4), weight)
        for weight in (0.5, 2.0)
    ]


def gradients():
    """Arguments (gradient, row): the gradient of the token embeddings, and the row of the new word."""
    rng = torch.Generator().manual_seed(15)
    return [(torch.randn(9, 12, generator=rng), 8), (torch.randn(7, 7, generator=rng), 2)]


def zeroed(gradient, row):
    gradient = gradient.clone()
    gradient[row] = 0
    return gradient


def column(gradient, row):
    kept = torch.zeros_like(gradient)
    kept[:, row] = gradient[:, row]
    return kept


def up_to(gradient, row):
    kept = torch.zeros_like(gradient)
    kept[: row + 1] = gradient[: row + 1]
    return kept


EXERCISES = [
    Exercise(
        "prior_loss",
        prior_loss,
        wrong_answers,
        (
            (
                "the class is missing: add weight times the mean of the squares of `prior`.",
                lambda own, prior, weight: own.square().mean(),
            ),
            (
                "the subject is missing: the mean of the squares of `own` comes first.",
                lambda own, prior, weight: weight * prior.square().mean(),
            ),
            (
                "the weight multiplies the term of the class, not that of the subject.",
                lambda own, prior, weight: weight * own.square().mean() + prior.square().mean(),
            ),
            (
                "the weight is not used: the term of the class always counts fully.",
                lambda own, prior, weight: own.square().mean() + prior.square().mean(),
            ),
            (
                "one mean over both ignores the weight; take two separate means, then add them.",
                lambda own, prior, weight: torch.cat([own, prior]).square().mean(),
            ),
            (
                "square first, then multiply by the weight: this squares the weight, too.",
                lambda own, prior, weight: own.square().mean() + (weight * prior).square().mean(),
            ),
            (
                "the errors are not squared, so positive and negative ones cancel.",
                lambda own, prior, weight: own.mean() + weight * prior.mean(),
            ),
            (
                "these are absolute errors; take their squares.",
                lambda own, prior, weight: own.abs().mean() + weight * prior.abs().mean(),
            ),
            (
                "square first, then take the mean: this is the square of the mean.",
                lambda own, prior, weight: own.mean().square() + weight * prior.mean().square(),
            ),
            (
                "take means, not sums: otherwise the loss grows with the number of pictures.",
                lambda own, prior, weight: own.square().sum() + weight * prior.square().sum(),
            ),
            (
                "the error of the class must become small as well: add it, do not subtract it.",
                lambda own, prior, weight: own.square().mean() - weight * prior.square().mean(),
            ),
        ),
        "the subject is learned, and its class is preserved.",
    ),
    Exercise(
        "only_row",
        only_row,
        gradients,
        (
            ("it is the other way round: keep this row and set all others to zero.", zeroed),
            ("a word is a row of the embedding matrix, gradient[row]; this keeps a column.", column),
            ("the rows before it still have gradients; they belong to words that must not change.", up_to),
            ("nothing is set to zero; the other words in the prompt have gradients, too.", lambda gradient, row: gradient.clone()),
            (
                "this is the row alone; the result needs the shape of the whole embedding matrix.",
                lambda gradient, row: gradient[row],
            ),
            ("the row must keep its gradient, not ones.", lambda gradient, row: only_row(torch.ones_like(gradient), row)),
            ("this is the row before it; rows are counted from 0.", lambda gradient, row: only_row(gradient, row - 1)),
        ),
        "the embeddings of all other words stay as they are.",
    ),
]
