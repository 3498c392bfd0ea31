"""How many and which seed: wrong ones are a sentence in every batch, before any memory is taken."""

import numpy as np
import pytest
import torch

from edu_diffusion.cli import generate as command
from edu_diffusion.data import conditions, digits, newstyle, pose, scenes
from edu_diffusion.data.arguments import check_settings
from edu_diffusion.errors import EduError
from edu_diffusion.steps import generate
from edu_diffusion.widgets import controls

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


# ---------------------------------------------------------------- the same limits everywhere


def accepts(call):
    """Whether a call raises no error about an argument."""
    try:
        call()
    except ValueError:  # EduError and StepError are two
        return False
    return True


def readable_loop(pipe, **settings):
    """The first step of the readable loop."""
    return next(generate(pipe, "a cat", **{"steps": 1, **settings}))


WHOLE = [-1, 0, 1, 2, 1000, 1001, 2**31, 2**63 - 1, 2**63, 2**64, np.int64(3), True, 1.0, 2.5, float("nan"), "7", None]


@pytest.mark.parametrize("seed", WHOLE, ids=repr)
def test_a_seed_is_right_everywhere_or_nowhere(pipe, seed):
    doors = [
        lambda: check_settings({"seed": seed}),
        lambda: readable_loop(pipe, seed=seed),
        *(lambda batch=batch: batch(1, seed) for batch in BATCHES.values()),
    ]
    right = {accepts(door) for door in doors}
    assert right == {not isinstance(seed, bool) and hasattr(seed, "__index__") and 0 <= seed < 2**63}


@pytest.mark.parametrize("steps", WHOLE, ids=repr)
def test_a_number_of_steps_is_right_everywhere_or_nowhere(pipe, steps):
    right = {accepts(lambda: check_settings({"steps": steps})), accepts(lambda: readable_loop(pipe, steps=steps))}
    assert right == {not isinstance(steps, bool) and hasattr(steps, "__index__") and 1 <= steps <= 1000}


@pytest.mark.parametrize("guidance", [0, 1, 4.5, 30, np.float32(2), -1, 31, float("inf"), float("nan"), "4", None, True], ids=repr)
def test_the_command_line_takes_no_guidance_that_the_loop_refuses(pipe, guidance):
    line, loop = accepts(lambda: check_settings({"guidance": guidance})), accepts(lambda: readable_loop(pipe, guidance=guidance))
    assert loop or not line
    assert line == (guidance in (0, 1, 4.5, 30, 2) and guidance is not True)


@pytest.mark.parametrize("name, value", [("seed", -1), ("seed", 2**63), ("steps", 0), ("steps", 1001), ("guidance", 31.0)])
def test_the_command_line_says_the_same_sentence(name, value):
    with pytest.raises(EduError) as ours:
        check_settings({name: value})
    with pytest.raises(EduError) as theirs:
        command.checked({"prompt": "a cat", name: value})
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("scale", [0, 65, 1.5, "2", None, True])
def test_a_scale_is_a_whole_number(scale):
    with pytest.raises(EduError, match="scale must be 1 to 64"):
        check_settings({"scale": scale})


@pytest.mark.parametrize("value", [-5, 0, 3, 10**9, 2**31])
def test_a_widget_never_holds_a_wrong_seed(value):
    control = controls.seeds(0)
    control.value = value
    check_settings({"seed": control.value})
