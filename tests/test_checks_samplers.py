"""The exercise of lesson 07: right answers in several forms, hints for wrong ones, and why a wrong one matters."""

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, samplers, verdict

EXERCISE = EXERCISES["ddim_step"]


def at_once(x_t, eps, abar_t, abar_s):
    """The same step as one sum of x_t and eps."""
    scale = (abar_s / abar_t) ** 0.5
    return scale * x_t + ((1 - abar_s) ** 0.5 - scale * (1 - abar_t) ** 0.5) * eps


def a_share_of_eps(x_t, eps, abar_t, abar_s):
    """What "subtract a portion of the noise" says, taken by its word."""
    return x_t - (abar_s - abar_t) * eps


def fresh(x_t, eps, abar_t, abar_s):
    return steps.q_sample(steps.predict_x0(x_t, eps, abar_t), torch.randn_like(eps), abar_s)


def one_level_for_all(x_t, eps, abar_t, abar_s):
    return steps.ddim_step(x_t, eps, 0.1, 0.35)


def test_the_reference_is_what_the_loop_runs():
    assert EXERCISE.reference is steps.ddim_step
    assert verdict("ddim_step", steps.ddim_step).right


@pytest.mark.parametrize(
    "mine",
    [
        at_once,
        steps.euler_step,
        lambda x_t, eps, abar_t, abar_s: steps.ddpm_step(x_t, eps, abar_t, abar_s, 0) * 0 + at_once(x_t, eps, abar_t, abar_s),
    ],
    ids=["at once", "Euler's, which is the same", "by a detour"],
)
def test_every_way_to_the_same_numbers_is_right(mine):
    assert verdict("ddim_step", mine) == (True, f"Right: {EXERCISE.praise}")


@pytest.mark.parametrize(
    "mine, words",
    [
        (fresh, "a different result each time; use the noise that it is given"),
        (a_share_of_eps, "eps; expected is"),
        (one_level_for_all, "It is right in 1 of 2 cases"),
        (lambda x_t, eps, abar_t, abar_s: steps.predict_x0(x_t, eps, abar_t), "now add noise again"),
        (lambda x_t, eps, abar_t, abar_s: x_t, "you are back at x_t"),
        (lambda x_t, eps, abar_t, abar_s: x_t + (steps.sigma(abar_s) - steps.sigma(abar_t)) * eps, "y = x / sqrt"),
        (lambda x_t, eps, abar_t: x_t, "positional"),
        (lambda x_t, eps, abar_t, abar_s: steps.q_sample(eps, x_t, abar_s), "your result is 0.806 x_t"),
        (lambda x_t, eps, abar_t, abar_s: steps.ddim_step(x_t, eps, abar_t, 1.0), "now add noise again"),
    ],
)
def test_a_wrong_answer_gets_a_hint(mine, words):
    right, said = verdict("ddim_step", mine)
    assert right is False and words in said


def test_the_cases_tell_the_levels_apart():
    """Two pairs of levels, tensors as in the loop, none of them at an end where formulas fall together."""
    given = [(float(abar_t), float(abar_s)) for _, _, abar_t, abar_s in samplers.steps_to_go()]
    assert len(set(given)) == len(given) >= 2 and all(0 < t < s < 1 for t, s in given)
    assert all(map(torch.is_tensor, sum(samplers.steps_to_go(), ())))


@pytest.mark.parametrize("hint, wrong", EXERCISE.wrong, ids=[words for words, _ in EXERCISE.wrong])
def test_a_known_mistake_ends_elsewhere(hint, wrong):
    """In the loop a mistake does not end where the right step does; most are far off."""
    means, stds = torch.tensor([[2.0, -1.5], [-1.7, 1.3]]), torch.tensor([0.8, 0.8])  # beyond -1 and 1, like latents
    model = lambda x, t: steps.eps_from_x0(  # noqa: E731
        steps.mixture_x0(x, abar[t], means, stds, torch.ones(2)), x, abar[t]
    )
    abar = steps.abar(steps.scaled_linear_betas())
    x_T = torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    levels = steps.spaced_levels(abar, 5)
    *_, right = steps.sample(model, x_T, levels)
    *_, last = steps.sample(model, x_T, levels, wrong)
    assert not torch.allclose(right.x_s, last.x_s, atol=1e-2)
