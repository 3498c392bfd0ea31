import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.schedulers.scheduling_ddim import betas_for_alpha_bar, rescale_zero_terminal_snr
from diffusers.training_utils import compute_snr
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

SHAPES = [(1, 4, 8, 8), (3, 3, 16, 12), (8, 4, 8, 8)]  # the last: as many pictures as columns


def library(dtype=torch.float64, **settings):
    """The library's scheduler with its levels in float64, so that only the formula is compared."""
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, **settings)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.to(dtype)
    return scheduler


def pictures(shape, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(2)]


@twin("scaled_linear_betas", "abar")
@pytest.mark.parametrize("T, start, end", [(1000, 0.00085, 0.012), (50, 0.001, 0.1), (1, 0.00085, 0.012)])
def test_scaled_linear(T, start, end):
    scheduler = DDIMScheduler(T, beta_schedule="scaled_linear", beta_start=start, beta_end=end)
    betas = steps.scaled_linear_betas(T, start, end)
    assert_close(betas, scheduler.betas)
    assert_close(steps.abar(betas), scheduler.alphas_cumprod)


def test_scaled_linear_defaults_are_stable_diffusions():
    betas = steps.scaled_linear_betas()
    assert_close(betas[[0, -1]], torch.tensor([0.00085, 0.012]))
    assert betas.shape == (1000,) and (betas.diff() > 0).all()


@twin("cosine_betas")
@pytest.mark.parametrize("T", [1, 10, 1000])
def test_cosine(T):
    assert_close(steps.cosine_betas(T), betas_for_alpha_bar(T))
    assert_close(steps.cosine_betas(T), DDIMScheduler(T, beta_schedule="squaredcos_cap_v2").betas)


@twin("linear_betas", "sigmoid_betas")
@pytest.mark.parametrize("T, start, end", [(1000, 0.0001, 0.02), (50, 0.001, 0.1), (1, 0.0001, 0.02)])
def test_linear_and_sigmoid(T, start, end):
    for betas, name in [(steps.linear_betas, "linear"), (steps.sigmoid_betas, "sigmoid")]:
        assert_close(betas(T, start, end), DDPMScheduler(T, start, end, name).betas)
        assert_close(betas(), DDPMScheduler(beta_schedule=name).betas)  # the defaults


SCHEDULES = {
    "linear": steps.linear_betas,
    "scaled_linear": steps.scaled_linear_betas,
    "cosine": steps.cosine_betas,
    "sigmoid": steps.sigmoid_betas,
    "zero_terminal": lambda T: steps.zero_terminal_snr(steps.scaled_linear_betas(T)),
}


@twin("zero_terminal_snr")
@pytest.mark.parametrize("name", ["linear", "scaled_linear", "cosine", "sigmoid"])
@pytest.mark.parametrize("T", [2, 50, 1000])
def test_zero_terminal_snr(name, T):
    betas = SCHEDULES[name](T)
    bent = steps.zero_terminal_snr(betas)
    assert_close(bent, rescale_zero_terminal_snr(betas))
    assert_close(bent[0], betas[0])
    assert bent[-1] == 1 and steps.snr(steps.abar(bent))[-1] == 0


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("T", [10, 1000])
def test_signal_falls_from_level_to_level(name, T):
    betas = SCHEDULES[name](T)
    snr = steps.snr(steps.abar(betas))
    assert betas.shape == (T,) and betas.min() > 0 and betas.max() <= 1
    assert (snr.diff() < 0).all() and snr.min() >= 0


@twin("snr")
@pytest.mark.parametrize("seed", [0, 1])
def test_snr(seed):
    t = torch.randint(1000, (7,), generator=torch.Generator().manual_seed(seed))
    scheduler = library(torch.float32)
    assert_close(steps.snr(scheduler.alphas_cumprod[t]), compute_snr(scheduler, t))
    assert steps.snr(torch.tensor(0.5)) == 1


@twin("q_sample", "velocity")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_noisy_image_and_velocity(shape, seed):
    scheduler, (x_0, eps) = library(), pictures(shape, seed)
    t = torch.randint(1000, shape[:1], generator=torch.Generator().manual_seed(seed))
    abar_t = scheduler.alphas_cumprod[t]
    assert_close(steps.q_sample(x_0, eps, abar_t), scheduler.add_noise(x_0, eps, t))
    assert_close(steps.velocity(x_0, eps, abar_t), scheduler.get_velocity(x_0, eps, t))


@pytest.mark.parametrize("step", [steps.q_sample, steps.velocity])
def test_one_level_for_all_or_one_for_each(step):
    x_0, eps = pictures((4, 3, 4, 4), 0)
    each = step(x_0, eps, torch.full((4,), 0.3, dtype=torch.float64))
    assert_close(each, step(x_0, eps, 0.3))
    assert_close(each, step(x_0, eps, torch.tensor(0.3, dtype=torch.float64)))


def test_levels_take_the_dtype_of_the_pictures():
    x_0, eps = pictures((2, 3, 4, 4), 0, torch.bfloat16)
    assert steps.q_sample(x_0, eps, torch.tensor([0.2, 0.9])).dtype == torch.bfloat16


def test_no_noise_is_the_image_and_only_noise_is_the_noise():
    x_0, eps = pictures((1, 3, 4, 4), 0)
    assert_close(steps.q_sample(x_0, eps, 1.0), x_0)
    assert_close(steps.q_sample(x_0, eps, 0.0), eps)


VALUES, LEVELS, POINTS = torch.tensor([[-1.0], [-0.2], [0.5], [1.0]]), [0, 99, 499, 999], 20_000


@pytest.fixture(scope="module")
def walked():
    """{t: x_t}: four values, many points each, made noisy in single steps; q_sample is such a step, too."""
    generator = torch.Generator().manual_seed(0)
    x, found = VALUES.expand(-1, POINTS), {}
    for t, beta in enumerate(steps.scaled_linear_betas()):
        x = steps.q_sample(x, torch.randn(x.shape, generator=generator), 1 - beta)
        if t in LEVELS:
            found[t] = x
    return found


@pytest.mark.parametrize("t", LEVELS)
def test_a_thousand_single_steps_are_one_long_step(walked, t):
    """Mean and variance of every value's points, within three standard errors of the closed form."""
    abar_t = steps.abar(steps.scaled_linear_betas())[t]
    mean, variance = steps.q_sample(VALUES, torch.zeros(4, 1), abar_t), 1 - abar_t
    assert ((walked[t].mean(1, keepdim=True) - mean).abs() < 3 * (variance / POINTS) ** 0.5).all()
    assert ((walked[t].var(1) - variance).abs() < 3 * variance * (2 / POINTS) ** 0.5).all()


def kolmogorov_smirnov(x, distribution):
    """sqrt(n) times the largest gap between the counted and the stated distribution.

    Over 2.0 once in 1500 tests of numbers that are so distributed: once in 100 for all sixteen below.
    """
    x, n = x.double().sort().values, len(x)
    counted, stated = torch.arange(n + 1) / n, distribution(x)
    return n**0.5 * torch.maximum(counted[1:] - stated, stated - counted[:-1]).max().item()


def uniform(x):
    """A uniform distribution with mean 0 and standard deviation 1."""
    return (x / 12**0.5 + 0.5).clamp(0, 1)


@pytest.mark.parametrize("t", LEVELS)
def test_noise_is_gaussian_and_not_uniform(walked, t):
    abar_t = steps.abar(steps.scaled_linear_betas())[t]
    for value, x_t in zip(VALUES, walked[t], strict=True):
        eps = steps.eps_from_x0(value, x_t, abar_t)
        assert kolmogorov_smirnov(eps, torch.special.ndtr) < 2
        assert kolmogorov_smirnov(eps, uniform) > 5


def test_the_test_for_gaussian_noise_knows_uniform_noise():
    eps = (torch.rand(POINTS, generator=torch.Generator().manual_seed(0)) - 0.5) * 12**0.5
    assert kolmogorov_smirnov(eps, uniform) < 2 and kolmogorov_smirnov(eps, torch.special.ndtr) > 5
