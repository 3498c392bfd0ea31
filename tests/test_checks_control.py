"""The exercise of lesson 11, beyond what test_checks.py asks of every exercise."""

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict


def test_the_reference_is_the_step_that_the_lesson_runs():
    assert EXERCISES["zero_conv"].reference is steps.zero_conv


@pytest.mark.parametrize(
    "mine",
    [
        lambda h, weight, bias: torch.nn.functional.conv2d(h, weight, bias),
        lambda h, weight, bias: (h.permute(0, 2, 3, 1) @ weight[:, :, 0, 0].T + bias).permute(0, 3, 1, 2),
        lambda h, weight, bias: (weight[:, :, 0, 0] @ h.flatten(2) + bias[:, None]).unflatten(2, h.shape[2:]),
    ],
    ids=["conv2d", "linear", "matrix"],
)
def test_other_ways_to_write_it(mine):
    assert verdict("zero_conv", mine).right


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda h, weight, bias: torch.zeros_like(h), "always 0"),
        (lambda h, weight, bias: torch.nn.functional.conv2d(h, weight), "bias is missing"),
        (lambda h, weight, bias: torch.nn.functional.conv2d(h, weight.transpose(0, 1), bias), "transposed"),
        (lambda h, weight, bias: h + torch.nn.functional.conv2d(h, weight, bias), "h itself"),
        (lambda h, weight, bias: weight @ h + bias, "sign by sign|shape|stopped"),
    ],
)
def test_what_a_learner_may_write_instead(mine, words):
    right, said = verdict("zero_conv", mine)
    assert right is False and __import__("re").search(words, said), said
