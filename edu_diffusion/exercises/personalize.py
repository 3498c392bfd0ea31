"""Questions of lesson 12: one thing learned from a few pictures, what else changes, and one row of a table."""

import functools

import torch

from .exercise import Exercise
from .gradients import tracked
from .personalize_choices import LANGUAGE_DRIFT, WHICH_WAY, WORD_BYTES, WORD_LIMIT


def prior_loss(own, prior, weight):
    return own.square().mean() + weight * prior.square().mean()


def wrong_answers():
    """Arguments (own, prior, weight): the errors of a network's predictions for the subject and for its class."""
    rng = torch.Generator().manual_seed(14)
    return [
        (*tracked(torch.randn(3, 4, 4, 4, generator=rng) + 0.3, torch.randn(n, 4, 4, 4, generator=rng) * 0.5 - 0.4), weight)
        for n, weight in ((2, 0.5), (5, 2.0))
    ]


class Words(torch.nn.Embedding):
    "A small embedding table, and loss(step): the mean of three words is to give a number; every row gets a gradient in its turn."

    def __init__(self, rows, width, seed):
        rng = torch.Generator().manual_seed(seed)
        super().__init__(rows, width, _weight=torch.randn(rows, width, generator=rng))
        self.out, self.wanted = torch.randn(width, generator=rng), torch.randn(5, generator=rng)

    def loss(self, row, step):
        ids = torch.tensor([row, step % self.num_embeddings, (2 * step + 1) % self.num_embeddings])
        return (self(ids).tanh().mean(0) @ self.out - self.wanted[step % 5]).square()


def trainings():
    """Arguments (table, optimiser, loss, row, steps); AdamW with a strong weight decay, so that it shows in a few steps."""
    made = []
    for rows, row, steps, seed in ((7, 6, 5, 15), (6, 2, 7, 16)):
        table = Words(rows, 4, seed)
        loss = functools.partial(table.loss, row)
        made.append((table, torch.optim.AdamW(table.parameters(), lr=0.1, weight_decay=0.2), loss, row, steps))
    return made


def only_row(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        optimiser.step()
        put_back(table, old, row)
    return table.weight.detach()


@torch.no_grad()
def put_back(table, old, row):
    """Every row but one as it was."""
    table.weight[:row], table.weight[row + 1 :] = old[:row], old[row + 1 :]


def trained(table, optimiser, loss, steps, masked=lambda gradient: gradient, after=lambda: None):
    """The usual loop, with a function for the gradient and one after each step."""
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        table.weight.grad = masked(table.weight.grad)
        optimiser.step()
        after()
    return table.weight.detach()


def alone(gradient, row):
    kept = torch.zeros_like(gradient)
    kept[row] = gradient[row]
    return kept


def gradient_only(table, optimiser, loss, row, steps):
    return trained(table, optimiser, loss, steps, lambda gradient: alone(gradient, row))


def unprotected(table, optimiser, loss, row, steps):
    return trained(table, optimiser, loss, steps)


def at_the_end(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    unprotected(table, optimiser, loss, row, steps)
    put_back(table, old, row)
    return table.weight.detach()


def at_the_end_masked(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    gradient_only(table, optimiser, loss, row, steps)
    put_back(table, old, row)
    return table.weight.detach()


def without_decay(table, optimiser, loss, row, steps):
    for group in optimiser.param_groups:
        group["weight_decay"] = 0.0
    return gradient_only(table, optimiser, loss, row, steps)


def the_row_itself(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()

    @torch.no_grad()
    def after():
        table.weight[row] = old[row]

    return trained(table, optimiser, loss, steps, after=after)


def all_back(table, optimiser, loss, row, steps):
    return table.weight.detach().clone()


def before_only(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()

    @torch.no_grad()
    def after():
        table.weight[:row] = old[:row]

    return trained(table, optimiser, loss, steps, after=after)


def after_only(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()

    @torch.no_grad()
    def after():
        table.weight[row + 1 :] = old[row + 1 :]

    return trained(table, optimiser, loss, steps, after=after)


def first_step(table, optimiser, loss, row, steps):
    return only_row(table, optimiser, loss, row, 1)


def before_the_step(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()

    def put_back_first(gradient):
        put_back(table, old, row)
        return gradient

    return trained(table, optimiser, loss, steps, put_back_first)


def at_the_start(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    for step in range(steps):
        put_back(table, old, row)
        trained(table, optimiser, lambda _, step=step: loss(step), 1)
    return table.weight.detach()


def by_hand(table, optimiser, loss, row, steps):
    rate = optimiser.param_groups[0]["lr"]
    for step in range(steps):
        optimiser.zero_grad()
        loss(step).backward()
        with torch.no_grad():
            table.weight[row] -= rate * table.weight.grad[row]
    return table.weight.detach()


def never_reset(table, optimiser, loss, row, steps):
    old = table.weight.detach().clone()
    for step in range(steps):
        loss(step).backward()
        optimiser.step()
        put_back(table, old, row)
    return table.weight.detach()


PRIOR_LOSS = Exercise(
    "prior_loss",
    prior_loss,
    wrong_answers,
    (
        (
            "the robots are missing: with any weight above 0 their errors must count, too.",
            lambda own, prior, weight: own.square().mean(),
        ),
        (
            "the images of Zib are missing: with weight 0 their mean squared error must be left.",
            lambda own, prior, weight: weight * prior.square().mean(),
        ),
        (
            "with weight 0 Zib alone must count; here the robots do.",
            lambda own, prior, weight: weight * own.square().mean() + prior.square().mean(),
        ),
        (
            "the weight is not used: the term of the robots always counts fully.",
            lambda own, prior, weight: own.square().mean() + prior.square().mean(),
        ),
        (
            "one mean over both ignores the weight; take two separate means, then add them.",
            lambda own, prior, weight: torch.cat([own, prior]).square().mean(),
        ),
        (
            "one mean over both counts the kind with more images more, and squares the weight; take two separate means, then add.",
            lambda own, prior, weight: torch.cat([own, weight * prior]).square().mean(),
        ),
        (
            "the weight belongs to the term of the robots alone; with weight 0 the term of Zib must be left.",
            lambda own, prior, weight: weight * (own.square().mean() + prior.square().mean()),
        ),
        (
            "a mean does not grow with the number of images anyway; leave these numbers out.",
            lambda own, prior, weight: own.square().mean() + weight * len(prior) / len(own) * prior.square().mean(),
        ),
        (
            "the term of Zib must always count fully; here it loses what the robots gain. Doubling the weight must not change it.",
            lambda own, prior, weight: (1 - weight) * own.square().mean() + weight * prior.square().mean(),
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
            "take means, not sums: otherwise the loss grows with the number of images.",
            lambda own, prior, weight: own.square().sum() + weight * prior.square().sum(),
        ),
        (
            "the errors on the robots must become small as well: add them, do not subtract them.",
            lambda own, prior, weight: own.square().mean() - weight * prior.square().mean(),
        ),
        (
            "own and prior hold different images, and not equally many: take the mean of each by itself, then add.",
            lambda own, prior, weight: own.square() + weight * prior.square(),
        ),
        (
            "these are roots of the mean squared errors; leave the roots out.",
            lambda own, prior, weight: own.square().mean().sqrt() + weight * prior.square().mean().sqrt(),
        ),
        (
            "divided by 1 + weight, the term of Zib changes with the weight; leave the division out.",
            lambda own, prior, weight: prior_loss(own, prior, weight) / (1 + weight),
        ),
        (
            "one division for both counts the kind with more images more; divide each sum by its own count, or take two means.",
            lambda own, prior, weight: (own.square().sum() + weight * prior.square().sum()) / (own.numel() + prior.numel()),
        ),
        (
            "a variance leaves out the mean of the errors; take the mean of their squares.",
            lambda own, prior, weight: own.var() + weight * prior.var(),
        ),
        (
            "norm() is the root of the sum of the squares; take their mean, without a root.",
            lambda own, prior, weight: own.norm() + weight * prior.norm(),
        ),
        (
            "len(own) is the number of images, but a mean divides by the number of all errors: own.numel(), or take .mean().",
            lambda own, prior, weight: own.square().sum() / len(own) + weight * prior.square().sum() / len(prior),
        ),
    ),
    "with this loss the model learns Zib and keeps the robots.",
)

ONLY_ROW = Exercise(
    "only_row",
    only_row,
    trainings,
    (
        (
            "the other rows have a gradient of zero now, and yet they move: AdamW also shrinks every weight a little in each step "
            "(weight decay). It happens inside optimiser.step(), so protect the rows after it.",
            gradient_only,
        ),
        (
            "nothing is protected here: every word of a caption has a gradient, and moves. Is `old` a copy, made with clone() "
            "before the loop?",
            unprotected,
        ),
        (
            "the other rows are put back at the end or in a copy, but during the training they were moving, and your row learned "
            "beside wrong ones; put them back in table.weight, in every step.",
            at_the_end,
        ),
        (
            "the other rows shrink during the training and are put back only at the end; put them back in every step.",
            at_the_end_masked,
        ),
        (
            "without weight decay the other rows stay, but the optimiser's settings are changed, so your own row learns "
            "differently; leave them as they are, and put the rows back.",
            without_decay,
        ),
        ("it is the other way round: here your row stays and all others are trained.", the_row_itself),
        (
            "your own row has not moved: is nothing trained, or is it put back with the others? table.weight[row] is a view, not a "
            "copy; keep table.weight[row].clone().",
            all_back,
        ),
        ("the rows before yours stay, but those after it move.", before_only),
        ("the rows after yours stay, but those before it move.", after_only),
        ("the gradients add up from step to step: reset them with optimiser.zero_grad() at the start of each step.", never_reset),
        (
            "your row moves in the first step only: does `return` stand inside the loop, or is table.weight a new Parameter that "
            "the optimiser does not know?",
            first_step,
        ),
        ("the rows are put back before optimiser.step(), which moves them again; put them back after it.", before_the_step),
        ("the rows are put back at the start of each step, and move again at its end; put them back at the end.", at_the_start),
        ("your row gets a plain gradient step here; let optimiser.step() move it, and then put the other rows back.", by_hand),
    ),
    "the new word learns, and all other words stay exactly as they are.",
)

EXERCISES = [LANGUAGE_DRIFT, PRIOR_LOSS, ONLY_ROW, WORD_LIMIT, WORD_BYTES, WHICH_WAY]
