"""How many and which seed: wrong ones are a sentence in every batch, before any memory is taken."""

import pytest
import torch

from edu_diffusion.data import conditions, digits, newstyle, pose, scenes
from edu_diffusion.errors import EduError

pytestmark = pytest.mark.fault("silent")

BATCHES = {
    "scenes": scenes.batch,
    "mixed": scenes.mixed,
    "digits": digits.batch,
    "new style": newstyle.batch,
    "pose": pose.batch,
    "conditions": lambda n, seed=0: conditions.batch("canny", n, seed),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize(
    "n, seed, words",
    [
        (0, 0, "n is 0; it must be a whole number from 1 to 100,000"),
        (-3, 0, "n is -3"),
        (2.0, 0, "n is 2.0"),
        (True, 0, "n is True"),
        (10**9, 0, "since all of them are in memory at once"),
        (1, 1.5, "The seed is 1.5"),
        (1, -1, "The seed is -1"),
        (1, 2**64, "whole number from 0 to"),
        (1, "7", "The seed is '7'"),
    ],
)
def test_wrong_numbers_are_a_sentence(name, n, seed, words):
    with pytest.raises(EduError, match=words):
        BATCHES[name](n, seed)


@pytest.mark.parametrize("name", BATCHES)
def test_whole_numbers_of_any_kind_are_right(name):
    one, same = BATCHES[name](torch.tensor(2), 2**60), BATCHES[name](2, 2**60)
    assert torch.equal(one.images, same.images) and len(one.images) == 2
