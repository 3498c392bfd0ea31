"""Exercises of lessons 12 and 14: what a personal model learns from, and how to say what a change did."""

import torch

from .exercise import Exercise


def prior_loss(own, prior, weight):
    return own.square().mean() + weight * prior.square().mean()


def only_row(gradient, row):
    kept = torch.zeros_like(gradient)
    kept[row] = gradient[row]
    return kept


def paired_change(before, after):
    gain = after - before
    return torch.stack([gain.mean(), 1.96 * gain.std() / len(gain) ** 0.5])


def wrong_answers():
    """Arguments (own, prior, weight): what a network's answers are away from the targets."""
    rng = torch.Generator().manual_seed(14)
    return [(torch.randn(3, 4, 4, 4, generator=rng) + 0.3, torch.randn(3, 4, 4, 4, generator=rng) * 0.5 - 0.4, weight)
            for weight in (0.5, 2.0)]


def gradients():
    """Arguments (gradient, row): a table of words' gradient, and the row of the new word."""
    rng = torch.Generator().manual_seed(15)
    return [(torch.randn(9, 12, generator=rng), 8), (torch.randn(7, 7, generator=rng), 2)]


def marks():
    """Arguments (before, after): marks of the same pictures, 0 to 1."""
    rng = torch.Generator().manual_seed(16)
    before = torch.rand(2, 12, generator=rng)
    return [(b, (b * 0.5 + 0.4 * torch.rand(12, generator=rng)).round(decimals=2)) for b in before]


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
    kept[:row + 1] = gradient[:row + 1]
    return kept


def spread(x):
    return 1.96 * x.std() / len(x) ** 0.5


EXERCISES = [
    Exercise("prior_loss", prior_loss, wrong_answers, (
        ("the class is missing: add weight times the mean square of `prior`.",
         lambda own, prior, weight: own.square().mean()),
        ("the subject is missing: the mean square of `own` comes first.",
         lambda own, prior, weight: weight * prior.square().mean()),
        ("the weight is for the class, not for the subject.",
         lambda own, prior, weight: weight * own.square().mean() + prior.square().mean()),
        ("the weight is not used: as it is, the class always counts 1.",
         lambda own, prior, weight: own.square().mean() + prior.square().mean()),
        ("one mean over both leaves no place for the weight; take the two means apart, then add.",
         lambda own, prior, weight: torch.cat([own, prior]).square().mean()),
        ("square first, then weigh: this squares the weight too.",
         lambda own, prior, weight: own.square().mean() + (weight * prior).square().mean()),
        ("the errors are not squared, so those above and below zero cancel.",
         lambda own, prior, weight: own.mean() + weight * prior.mean()),
        ("these are absolute errors; take their squares.",
         lambda own, prior, weight: own.abs().mean() + weight * prior.abs().mean()),
        ("square first, then take the mean: this is the square of the mean.",
         lambda own, prior, weight: own.mean().square() + weight * prior.mean().square()),
        ("take means, not sums: else the loss grows with the number of pictures.",
         lambda own, prior, weight: own.square().sum() + weight * prior.square().sum()),
        ("the class's error must become small as well: add it, do not take it away.",
         lambda own, prior, weight: own.square().mean() - weight * prior.square().mean()),
    ), "the subject is learned, and its class is held fast."),
    Exercise("only_row", only_row, gradients, (
        ("it is the other way round: this row stays, all others become zero.", zeroed),
        ("a word is a row of the table, table[row]; this keeps a column.", column),
        ("the rows before it are still there; they belong to words that must not change.", up_to),
        ("nothing is taken away; the other words in the prompt have gradients too.",
         lambda gradient, row: gradient.clone()),
        ("this is the row alone; the result needs the shape of the whole table.",
         lambda gradient, row: gradient[row]),
        ("the row still has to hold its gradient, not ones.",
         lambda gradient, row: only_row(torch.ones_like(gradient), row)),
        ("that is the row before it; rows are counted from 0.",
         lambda gradient, row: only_row(gradient, row - 1)),
    ), "the table's other words cannot move any more."),
    Exercise("paired_change", paired_change, marks, (
        ("a change is after minus before.",
         lambda before, after: paired_change(after, before)),
        ("the spread of a mean is smaller than that of one mark: divide by the root of their number.",
         lambda before, after: torch.stack([(after - before).mean(), 1.96 * (after - before).std()])),
        ("divide by the root of the number of marks, not by the number.",
         lambda before, after: torch.stack([(after - before).mean(), spread(after - before) / len(after) ** 0.5])),
        ("95 of 100 lie within 1.96 standard errors; the 1.96 is missing.",
         lambda before, after: torch.stack([(after - before).mean(), spread(after - before) / 1.96])),
        ("the spread is that of the differences: first take after - before, mark by mark.",
         lambda before, after: torch.stack([(after - before).mean(), (spread(after)**2 + spread(before)**2) ** 0.5])),
        ("the spread is that of the differences, not that of the marks after.",
         lambda before, after: torch.stack([(after - before).mean(), spread(after)])),
        ("the spread is that of the differences, not that of the marks before.",
         lambda before, after: torch.stack([(after - before).mean(), spread(before)])),
        ("two numbers are wanted: the mean and how far it may be off; torch.stack puts them together.",
         lambda before, after: (after - before).mean()),
        ("this is the mean size of the changes; gains and losses must be able to cancel.",
         lambda before, after: torch.stack([(after - before).abs().mean(), spread(after - before)])),
    ), "a change, and how sure one can be of it."),
]
