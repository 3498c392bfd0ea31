"""Lesson 07's questions: letters say what is measured, right answers in several forms, hints for wrong ones."""

import itertools

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import EXERCISES, arrange, heun, samplers, verdict
from edu_diffusion.exercises.lines import shuffled

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
        (fresh, "a different result each time: are random numbers"),
        (a_share_of_eps, "eps; expected is"),
        (one_level_for_all, "It is right in 1 of 3 cases"),
        (lambda x_t, eps, abar_t, abar_s: steps.predict_x0(x_t, eps, abar_t), "now add noise again"),
        (lambda x_t, eps, abar_t, abar_s: x_t, "you are back at x_t"),
        (lambda x_t, eps, abar_t, abar_s: x_t + (steps.sigma(abar_s) - steps.sigma(abar_t)) * eps, "y = x / sqrt"),
        (lambda x_t, eps, abar_t: x_t, "positional"),
        (lambda x_t, eps, abar_t, abar_s: steps.q_sample(eps, x_t, abar_s), "your result is 0.806 x_t"),
        (lambda x_t, eps, abar_t, abar_s: steps.ddim_step(x_t, eps, abar_t, 1.0), "now add noise again"),
        (lambda x_t, eps, a, b: b / a * x_t + (1 - b - b / a * (1 - a)) * eps, "all the weights lack their square roots"),
        (lambda x_t, eps, a, b: steps.q_sample((x_t - eps + a * eps) / a**0.5, eps, b), "in the guess of x_0"),
        (lambda x_t, eps, a, b: (b / a) ** 0.5 * (x_t + (1 - a) ** 0.5 * eps) + (1 - b) ** 0.5 * eps, "not added to it"),
        (lambda x_t, eps, a, b: b**0.5 * (x_t - steps.sigma(a) * eps) + (1 - b) ** 0.5 * eps, "check the brackets"),
        (lambda x_t, eps, a, b: (b / a) ** 0.5 * (x_t - (1 - a**0.5) * eps) + (1 - b**0.5) * eps, "at t and at s"),
        (lambda x_t, eps, a, b: at_once(x_t, eps, a, b) if a.sqrt() < b else x_t, "which has no .sqrt(); write ** 0.5"),
        (lambda x_t, eps, a, b: b**0.5 * x_t + torch.sqrt(1 - b) * eps, "torch.sqrt takes tensors only"),
        (lambda x_t, eps, a, b: (b / a) ** 0.5 * x_t + (1 - b) ** 0.5 * eps, "the noise of timestep t is still in it"),
        (lambda x_t, eps, a, b: steps.q_sample((x_t - (1 - a) ** 0.5 * eps) * a**0.5, eps, b), "do not multiply by it"),
        (lambda x_t, eps, a, b: b**1 / 2 * (x_t - (1 - a) ** 1 / 2 * eps) / a**1 / 2 + (1 - b) ** 1 / 2 * eps, "half of a"),
    ],
)
def test_a_wrong_answer_gets_a_hint(mine, words):
    right, said = verdict("ddim_step", mine)
    assert right is False and words in said


def test_the_cases_tell_the_levels_apart():
    """Two pairs of levels in tensors, none of them at an end where formulas fall together; and the last step, in plain numbers."""
    *given, last = [(abar_t, abar_s) for _, _, abar_t, abar_s in samplers.steps_to_go()]
    assert all(map(torch.is_tensor, sum(given, ()))) and [type(abar) for abar in last] == [float, float] and last[1] == 1
    levels = {(float(t), float(s)) for t, s in given}
    assert len(levels) == len(given) >= 2 and all(0 < t < s < 1 for t, s in levels)


def test_a_root_as_a_method_is_refused_since_the_levels_of_the_lesson_are_plain_numbers():
    def mine(x_t, eps, abar_t, abar_s):
        return abar_s.sqrt() * steps.predict_x0(x_t, eps, abar_t) + (1 - abar_s).sqrt() * eps

    assert not verdict("ddim_step", mine).right and verdict("ddim_step", at_once).right
    assert all(type(abar) is float for _, abar in steps.spaced_levels(steps.abar(steps.linear_betas()), 4))


RUNNING = [pair for pair in EXERCISE.wrong if "plain number" not in pair[0]]  # the others stop with an exception


@pytest.mark.parametrize("hint, wrong", RUNNING, ids=[words for words, _ in RUNNING])
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


# ---------------------------------------------------------------- Heun's step


def heun_in_y(x_t, eps, abar_t, abar_s, model):
    """The same step in y = x / sqrt(abar), as the paper writes it."""
    sigma_t, sigma_s = steps.sigma(abar_t), steps.sigma(abar_s)
    y_t = x_t / abar_t.sqrt()
    y_s = y_t + (sigma_s - sigma_t) * eps
    if sigma_s > 0:
        y_s = y_t + (sigma_s - sigma_t) * 0.5 * (eps + model(y_s * abar_s.sqrt()))
    return y_s * abar_s.sqrt()


def two_halves(x_t, eps, abar_t, abar_s, model):
    """The mean of two whole steps, which is a step with the mean."""
    first = steps.ddim_step(x_t, eps, abar_t, abar_s)
    if float(abar_s) < 1:
        return (first + steps.ddim_step(x_t, model(first), abar_t, abar_s)) / 2
    return first


@pytest.mark.parametrize("mine", [heun_in_y, two_halves, steps.heun_step])
def test_other_spellings_of_heun_are_right(mine):
    assert verdict("heun_step", mine).right


def too_few_and_too_many(x_t, eps, a, b, model):
    end = steps.ddim_step(x_t, eps, a, b)
    return end if b < 1 else steps.ddim_step(x_t, (eps + model(end)) / 2, a, b)


def from_the_middle(x_t, eps, a, b, model):
    end = steps.ddim_step(x_t, eps, a, b)
    return end if b == 1 else steps.ddim_step(x_t, model(x_t.lerp(end, 0.5)), a, b)


def mean_of_all_numbers(x_t, eps, a, b, model):
    end = steps.ddim_step(x_t, eps, a, b)
    return end if b == 1 else steps.ddim_step(x_t, torch.cat([eps, model(end)]).mean(), a, b)


def mean_of_ends(x_t, eps, a, b, model):
    end = steps.ddim_step(x_t, eps, a, b)
    return end if b == 1 else end.lerp(steps.ddim_step(end, model(end), a, b), 0.5)


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda x_t, eps, a, b, model: x_t, "x_t itself"),
        (lambda x_t, eps, a, b, model: eps, "eps itself"),
        (lambda x_t, eps, a, b, model: -heun_in_y(x_t, eps, a, b, model), "opposite sign"),
        (lambda x_t, eps, a, b, model: heun_in_y(x_t, eps, a, b, model)[0], "shape"),
        (lambda x_t, eps, a, b, model: heun_in_y(x_t, eps, a, b, model) / a.sqrt(), "times abar_t**-0.5"),
        (lambda x_t, eps, a, b, model: steps.ddim_step(x_t, (3 * eps + model(x_t)) / 4, a, b), "differ"),
        (lambda x_t, eps, a, b: x_t, "positional"),
        (lambda x_t, eps, a, b, model: model, "returns a function"),
        (lambda x_t, eps, a, b, model: steps.ddim_step(x_t, (eps + model) / 2, a, b), "unsupported operand"),
        (too_few_and_too_many, "the special case is the wrong way round"),
        (from_the_middle, "half-way between x_t and x_s"),
        (mean_of_ends, "the second one starts at x_s here"),
        (mean_of_all_numbers, "number by number"),
        (lambda x_t, eps, a, b, model: steps.ddim_step(x_t, torch.mean([eps, model(x_t)]), a, b), "takes one tensor, not a list"),
        (lambda x_t, eps, a, b, model: model(x_t, b), "model takes the image alone"),
    ],
)
def test_a_wrong_heun_gets_a_hint(mine, words):
    right, said = verdict("heun_step", mine)
    assert right is False and words in said, said


def test_orders_of_heuns_lines():
    """Right is what gives the same function: asking the model before the question whether this is the last step, too."""
    _, *body = heun.HEUN_STEP.lines
    names = dict(zip(("try", "if", "end", "ask", "mean", "go"), body))
    letter = {name: "ABCDEF"[shuffled(body, "heun_step").index(line)] for name, line in names.items()}

    def judged(*order):
        return verdict("heun_step", arrange("heun_step", "".join(letter[name] for name in order))).right

    assert judged("try", "if", "end", "ask", "mean", "go")
    assert judged("try", "ask", "if", "end", "mean", "go"), "one evaluation too many, and the same numbers"
    assert not judged("ask", "try", "if", "end", "mean", "go")
    assert not judged("try", "if", "end", "mean", "ask", "go")
    assert not judged("mean", "try", "if", "end", "ask", "go")
    with pytest.raises(EduError, match="make no function"):
        judged("try", "end", "if", "ask", "mean", "go")


def test_the_last_step_is_among_heuns_cases():
    ends = [float(abar_s) for _, _, _, abar_s, _ in heun.steps_to_go()]
    assert 1.0 in ends and sum(end < 1 for end in ends) >= 2


def test_a_learners_heun_runs_in_the_loop():
    found = [
        list(steps.sample(lambda x, t: torch.tanh(x), torch.ones(2, 3), LEVELS, step))[-1].x_s
        for step in (heun_in, steps.heun_step)
    ]
    assert torch.allclose(*found, atol=1e-5)


LEVELS = [(9, 0.1), (5, 0.5), (1, 0.9), (-1, 1.0)]


def heun_in(x_t, eps, abar_t, abar_s, model):
    return heun_in_y(x_t, eps, torch.tensor(abar_t), torch.tensor(abar_s), model)


# ---------------------------------------------------------------- letters and number

STEPS = {"DDPM": steps.ddpm_step, "DDIM": steps.ddim_step, "Euler": steps.euler_step, "Euler a": steps.euler_ancestral_step}
STEPS |= {"Heun": steps.heun_step, "DPM++ 2M": steps.dpmpp_2m_step}


def test_who_adds_noise_is_what_the_right_letter_says():
    def draws(step):
        rng = torch.Generator().manual_seed(1)
        list(steps.sample(lambda x, t: 0.5 * x, torch.ones(2, 3), LEVELS, step, rng))
        return not torch.equal(rng.get_state(), rng.manual_seed(1).get_state())

    assert [name for name, step in STEPS.items() if draws(step)] == ["DDPM", "Euler a"] and samplers.ADDS_NOISE.right == "C"


def test_with_one_prediction_twenty_steps_are_one():
    x, eps = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(3)).double()
    abars = torch.linspace(0.01, 1, 21).double()
    once, often = steps.ddim_step(x, eps, abars[0], abars[-1]), x
    for a, b in itertools.pairwise(abars):
        often = steps.ddim_step(often, eps, a, b)
    assert torch.allclose(once, often) and samplers.ONE_JUMP.right == "B"


def test_heuns_error_falls_to_a_quarter():
    means, stds, shares = (
        torch.tensor([[1.0, 0.0], [-1.0, 0.5]]).double(),
        torch.tensor([0.3, 0.3]).double(),
        torch.ones(2).double(),
    )
    model = lambda x, a: steps.eps_from_x0(steps.mixture_x0(x, a, means, stds, shares), x, a)  # noqa: E731
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)).double()

    def end(step, n):
        levels = [(a, a) for a in steps.abar_from_sigma(torch.logspace(1, -1.5, n + 1).double()).tolist()]
        return list(steps.sample(model, x, levels, step))[-1].x_s

    truth = end(steps.heun_step, 320)
    ratio = {s: (end(s, 20) - truth).norm() / (end(s, 40) - truth).norm() for s in (steps.ddim_step, steps.heun_step)}
    assert 1.8 < ratio[steps.ddim_step] < 2.2 and 3.5 < ratio[steps.heun_step] < 4.6 and samplers.HEUN_ERROR.right == "A"


def test_variances_of_old_and_fresh_noise_add_up():
    assert 0.6**2 + samplers.FRESH_NOISE.right**2 == pytest.approx(1)
    assert 1 / 1.67 == pytest.approx(0.6, abs=0.002), "sigma_s^2 / sigma_t of the text"


def test_the_noise_may_be_calculated():
    assert verdict("fresh_noise", (1 - 0.36) ** 0.5).right
