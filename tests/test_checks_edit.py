"""Lesson 09's exercise: other right ways are right, and a right answer runs in the loop."""

import pytest
import tiny
import torch

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict


@pytest.mark.parametrize(
    "mine",
    [
        lambda known, drawn, mask: torch.where(mask > 0.5, drawn, known),
        lambda known, drawn, mask: known + mask * (drawn - known),
        lambda known, drawn, mask: torch.lerp(known, drawn, mask.expand_as(known)),
    ],
    ids=["where", "way", "lerp"],
)
def test_another_way_is_right(mine):
    assert verdict("blend", mine).right


def test_the_reference_is_what_the_loop_runs():
    assert EXERCISES["blend"].reference is steps.blend


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda known, drawn, mask: known * mask, "the numbers differ"),
        (lambda known, drawn, mask: drawn.mul_(mask) + known, "changes what it is given"),
        (lambda known, drawn, mask: mask, "shape"),
        (lambda known, drawn: drawn, "stopped with TypeError"),
    ],
)
def test_other_mistakes_get_a_sentence_too(mine, words):
    right, said = verdict("blend", mine)
    assert right is False and words in said, said


def test_the_answer_runs_in_the_real_loop():
    """And what it is given is what the exercise said: both latents, and a mask of ones and zeros."""
    pipe, x, mask, seen = tiny.pipeline(), torch.zeros(1, 3, 32, 32), torch.zeros(1, 1, 32, 32), []
    mask[..., :16] = 1

    def mine(known, drawn, m):
        seen.append((known.shape, drawn.shape, m.unique().tolist()))
        return torch.where(m > 0.5, drawn, known)

    *_, ours = steps.inpaint(pipe, "a cat", x, mask, steps=3)
    *_, theirs = steps.inpaint(pipe, "a cat", x, mask, steps=3, mix=mine)
    assert torch.equal(ours.z_s, theirs.z_s)
    assert seen == [((1, 4, 8, 8), (1, 4, 8, 8), [0.0, 1.0])] * 3
