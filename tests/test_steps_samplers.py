"""Every sampler against the library's scheduler over whole trajectories, and against an exact solution."""

import itertools
from functools import partial
from math import log2

import diffusers
import pytest
import torch
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

SETTINGS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
TRAILING = {**SETTINGS, "timestep_spacing": "trailing"}
ABAR = steps.abar(steps.scaled_linear_betas())
CLOSE = {"rtol": 1e-4, "atol": 1e-4}  # the library's samples are float32, and up to 15 times as large as ours
KINDS = pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
COUNTS = pytest.mark.parametrize("count", [1, 2, 7, 20, 30])  # 1000 / 7 and 1000 / 30 are not whole
PAIRS = [(0.01, 0.2), (0.3, 0.31), (0.5, 0.999), (0.2, 1.0)]


def net(x, t):
    """A model that nobody trained: not linear, and different at every level."""
    return torch.tanh(x + t / 500) + 0.3 * x.flip(-1)


def pictures(count=1, shape=(2, 3, 4, 4), seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(count)]


def ours(step, levels, kind, x_T):
    """Our whole trajectory: [x after each step]."""
    model = lambda x, t: steps.to_eps(net(x, t), x, dict(levels)[t], kind)  # noqa: E731
    states = steps.sample(model, x_T, levels, step, torch.Generator().manual_seed(1))
    return [state.x_s for state in states]


def theirs(scheduler, count, x_T, of_y):
    """The library's; its samples are y = x / sqrt(abar) for the schedulers of Karras's family."""
    scheduler.set_timesteps(count)
    sigmas = scheduler.sigmas if of_y else torch.zeros(count + 1)
    x, found, generator = x_T * (1 + sigmas[0] ** 2) ** 0.5, [], torch.Generator().manual_seed(1)
    noisy = {"generator": generator} if "generator" in scheduler.step.__code__.co_varnames else {}
    for i, t in enumerate(scheduler.timesteps):
        out = net(scheduler.scale_model_input(x, t), t.item())
        x = scheduler.step(out, t, x, **noisy).prev_sample
        found.append(x / (1 + sigmas[i + 1] ** 2) ** 0.5)
    return found


def paths(step, scheduler, count, kind, levels=None, of_y=True):
    """Both, from the same noise, at the levels of trailing spacing or those given."""
    (x_T,) = pictures(dtype=torch.float32)
    levels = levels or steps.spaced_levels(ABAR, count)
    return ours(step, levels, kind, x_T), theirs(scheduler, count, x_T, of_y)


@twin("euler_step")
@KINDS
@COUNTS
def test_euler(kind, count):
    scheduler = diffusers.EulerDiscreteScheduler(**TRAILING, prediction_type=kind)
    got, want = paths(steps.euler_step, scheduler, count, kind)
    assert_close(got, want, **CLOSE)
    assert len(got) == count


@twin("euler_ancestral_step")
@KINDS
@COUNTS
def test_euler_ancestral(kind, count):
    scheduler = diffusers.EulerAncestralDiscreteScheduler(**TRAILING, prediction_type=kind)
    got, want = paths(steps.euler_ancestral_step, scheduler, count, kind)
    assert_close(got, want, **CLOSE)


@twin("heun_step")
@KINDS
@COUNTS
def test_heun(kind, count):
    """The library's Heun is two calls for each step but the last, and only the second is the result."""
    scheduler = diffusers.HeunDiscreteScheduler(**TRAILING, prediction_type=kind)
    got, want = paths(steps.heun_step, scheduler, count, kind)
    assert_close(got, [*want[1::2], want[-1]], **CLOSE)
    assert len(got) == count and len(want) == 2 * count - 1


@twin("dpmpp_2m_step")
@KINDS
@COUNTS
def test_dpmpp_2m(kind, count):
    scheduler = diffusers.DPMSolverMultistepScheduler(**TRAILING, prediction_type=kind)
    got, want = paths(steps.dpmpp_2m_step, scheduler, count, kind, of_y=False)
    assert_close(got, want, **CLOSE)


@pytest.mark.parametrize("count", [2, 14, 15, 20])
@pytest.mark.parametrize("lower", [True, False])
def test_dpmpp_2m_that_ends_with_a_little_noise(count, lower):
    """The library's lower_order_final is our previous=None in the last of fewer than 15 steps."""
    scheduler = diffusers.DPMSolverMultistepScheduler(**TRAILING, final_sigmas_type="sigma_min", lower_order_final=lower)
    levels = [*steps.spaced_levels(ABAR, count)[:-1], (0, ABAR[0].item())]

    def step(x_t, eps, abar_t, abar_s, previous):
        first_order = lower and count < 15 and abar_s == levels[-1][1]
        return steps.dpmpp_2m_step(x_t, eps, abar_t, abar_s, None if first_order else previous)

    got, want = paths(step, scheduler, count, "epsilon", levels, of_y=False)
    assert_close(got, want, **CLOSE)


@pytest.mark.parametrize("step, name", [(steps.euler_step, "EulerDiscreteScheduler"), (steps.heun_step, "HeunDiscreteScheduler")])
def test_levels_between_the_models_own(step, name):
    """Karras's spacing, where t is not whole: the path is still the library's."""
    scheduler = getattr(diffusers, name)(**SETTINGS, use_karras_sigmas=True, timestep_spacing="linspace")
    got, want = paths(step, scheduler, 9, "epsilon", steps.karras_levels(ABAR, 9))
    assert_close(got[-1], want[-1], **CLOSE)


@twin("ddpm_step")
@KINDS
@pytest.mark.parametrize("count", [1, 7, 20, 250])
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_ddpm(kind, count, variance):
    """With "leading" and offset 0 the last level is 0, where the library adds no noise either."""
    scheduler = diffusers.DDPMScheduler(
        **SETTINGS, prediction_type=kind, clip_sample=False, variance_type=variance, timestep_spacing="leading"
    )
    step = partial(steps.ddpm_step, variance=variance)
    levels = steps.spaced_levels(ABAR, count, "leading")
    got, want = paths(step, scheduler, count, kind, levels, of_y=False)
    assert_close(got, want, **CLOSE)


def test_the_librarys_ddpm_adds_noise_to_the_end_result():
    """With fixed_large, if its last t is not 0. If this fails, ddpm_step's docstring should change."""
    scheduler = diffusers.DDPMScheduler(**TRAILING, clip_sample=False, variance_type="fixed_large")
    scheduler.set_timesteps(20)
    x_t, eps = pictures(2, dtype=torch.float32)
    noise = torch.randn(x_t.shape, generator=torch.Generator().manual_seed(1))
    want = scheduler.step(eps, 49, x_t, generator=torch.Generator().manual_seed(1)).prev_sample
    got = steps.ddpm_step(x_t, eps, ABAR[49], 1.0, noise, "fixed_large")
    assert_close(want - got, (1 - ABAR[49]) ** 0.5 * noise)


def test_ddpm_with_an_unknown_variance():
    with pytest.raises(ValueError, match="variance is 'large'; it must be 'fixed_small' or 'fixed_large'"):
        steps.ddpm_step(*pictures(2), 0.1, 0.2, 0, "large")


@pytest.mark.parametrize("abar_t, abar_s", PAIRS)
def test_two_steps_with_two_names_each(abar_t, abar_s):
    x_t, eps, noise = pictures(3)
    assert_close(steps.euler_step(x_t, eps, abar_t, abar_s), steps.ddim_step(x_t, eps, abar_t, abar_s))
    assert_close(steps.euler_ancestral_step(x_t, eps, abar_t, abar_s, noise), steps.ddpm_step(x_t, eps, abar_t, abar_s, noise))


@pytest.mark.parametrize(
    "step, extra",
    [
        (steps.euler_step, []),
        (steps.euler_ancestral_step, pictures(seed=1)),
        (steps.ddpm_step, pictures(seed=1)),
        (partial(steps.ddpm_step, variance="fixed_large"), pictures(seed=1)),
    ],
)
def test_one_level_for_each_picture(step, extra):
    """Two pictures, four columns: a level must belong to its picture."""
    x_t, eps = pictures(2)
    abar_t, abar_s = torch.tensor([0.1, 0.4]).double(), torch.tensor([0.3, 1.0]).double()
    alone = [step(x_t[i : i + 1], eps[i : i + 1], abar_t[i], abar_s[i], *(n[i : i + 1] for n in extra)) for i in range(2)]
    assert_close(step(x_t, eps, abar_t, abar_s, *extra), torch.cat(alone))


ALL = {
    "ddim": steps.ddim_step,
    "euler": steps.euler_step,
    "heun": steps.heun_step,
    "dpmpp_2m": steps.dpmpp_2m_step,
    "ddpm": steps.ddpm_step,
    "ddpm_large": partial(steps.ddpm_step, variance="fixed_large"),
    "euler_ancestral": steps.euler_ancestral_step,
}


@pytest.mark.parametrize(
    "name, results",
    [("ddim", 1), ("euler", 1), ("heun", 1), ("dpmpp_2m", 1), ("ddpm", 3), ("ddpm_large", 3), ("euler_ancestral", 3)],
)
def test_which_samplers_add_noise(name, results):
    """Counted: from one x_T, with three seeds for what is drawn on the way."""
    (x_T,) = pictures()
    found, untouched = [], []
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        *_, last = steps.sample(net, x_T, steps.spaced_levels(ABAR, 5), ALL[name], generator)
        found.append(last.x_s)
        fresh = torch.Generator().manual_seed(seed)
        untouched.append(torch.equal(generator.get_state(), fresh.get_state()))
    different = [a for i, a in enumerate(found) if not any(torch.equal(a, b) for b in found[:i])]
    assert len(different) == results
    assert all(untouched) if results == 1 else not any(untouched)


# A world of which everything is known: pictures are N(MEAN, SPREAD^2). The noise to predict and the end of
# the path are then formulas, with y = x / sqrt(abar): y - MEAN shrinks as sqrt(SPREAD^2 + sigma^2).
MEAN, SPREAD = 0.4, 0.5


def exact_eps(x_t, abar_t):
    return (1 - abar_t) ** 0.5 * (x_t - abar_t**0.5 * MEAN) / (abar_t * SPREAD**2 + 1 - abar_t)


def exact_end(x_T, abar_T, abar_s):
    y_T, (sigma_T, sigma_s) = x_T / abar_T**0.5, (steps.sigma(a) for a in (abar_T, abar_s))
    shrink = ((SPREAD**2 + sigma_s**2) / (SPREAD**2 + sigma_T**2)) ** 0.5
    return abar_s**0.5 * (MEAN + (y_T - MEAN) * shrink)


def error(step, count):
    """How far a sampler ends from where the exact path does; its levels have equal ratios of sigma."""
    abars = steps.abar_from_sigma(torch.logspace(1, -1.5, count + 1, dtype=torch.float64)).tolist()
    (x_T,) = pictures()
    *_, last = steps.sample(exact_eps, x_T, [(a, a) for a in abars], step)
    return (last.x_s - exact_end(x_T, abars[0], abars[-1])).abs().max().item()


@pytest.mark.parametrize("name, order", [("ddim", 1), ("euler", 1), ("heun", 2), ("dpmpp_2m", 2)])
def test_order(name, order):
    """Twice the steps: half the error for a first-order sampler, a quarter for a second-order one."""
    errors = [error(ALL[name], count) for count in (40, 80, 160)]
    halvings = [log2(a / b) for a, b in itertools.pairwise(errors)]
    assert halvings == pytest.approx([order, order], abs=0.1)


def test_noise_keeps_the_variance():
    """Ancestral samplers do not follow the path; in many steps they end with the right mean and spread."""
    (x_T,) = pictures(shape=(20_000, 1, 1, 1))
    levels = [(a, a) for a in steps.abar_from_sigma(torch.logspace(1.5, -2, 201).double()).tolist()]
    *_, last = steps.sample(exact_eps, x_T, levels, steps.ddpm_step, torch.Generator().manual_seed(0))
    assert last.x_s.mean() == pytest.approx(MEAN, abs=0.02)
    assert last.x_s.std() == pytest.approx(SPREAD, abs=0.02)
