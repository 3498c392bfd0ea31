import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.schedulers.scheduling_ddim import betas_for_alpha_bar
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
