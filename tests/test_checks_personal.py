"""The exercises of lessons 12 and 14 are what recipes and judge really do (test_checks.py tries every hint)."""

import torch

from edu_diffusion import metrics
from edu_diffusion.exercises import compared, personalize, verdict
from edu_diffusion.train import dreambooth


def test_the_loss_of_the_exercise_is_the_recipes():
    assert verdict("prior_loss", dreambooth.prior_loss).right


def test_the_change_of_the_exercise_is_the_judges():
    before, after = compared.marks()[0]
    change, reach = compared.paired_change(before, after).tolist()
    score = metrics.paired(before, after)
    assert abs(score["value"] - change) < 1e-4 and abs(score["high"] - score["low"] - 2 * reach) < 2e-4


def test_a_step_along_the_only_row_moves_that_row():
    """What the exercise is for: every word of a prompt has a gradient, one word may move."""
    table = torch.nn.Embedding(10, 4)
    table(torch.tensor([1, 5, 5, 9])).sum().backward()
    assert table.weight.grad.any(1).sum() == 3
    moved = table.weight.detach() - personalize.only_row(table.weight.grad, 9)
    assert (moved != table.weight).any(1).nonzero().tolist() == [[9]]
