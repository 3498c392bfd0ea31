import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

SETTINGS = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
ABAR = steps.abar(steps.scaled_linear_betas())
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@twin("sigma")
@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
def test_sigma(schedule):
    scheduler = EulerDiscreteScheduler(beta_schedule=schedule)
    assert_close(steps.sigma(scheduler.alphas_cumprod.flip(0)), scheduler.sigmas[:-1])
    assert steps.sigma(0.5) == 1 and steps.sigma(1.0) == 0


@twin("abar_from_sigma")
@pytest.mark.parametrize("sigma_t", [0.0, 0.03, 1.0, 14.6])
def test_abar_from_sigma(sigma_t):
    alpha_t, rest = DPMSolverMultistepScheduler()._sigma_to_alpha_sigma_t(torch.tensor(sigma_t).double())
    assert_close(steps.abar_from_sigma(torch.tensor(sigma_t).double()), alpha_t**2)
    assert steps.sigma(steps.abar_from_sigma(sigma_t)) == pytest.approx(sigma_t)


@twin("t_from_sigma")
@pytest.mark.parametrize("seed", [0, 1])
def test_t_from_sigma(seed):
    within = torch.rand(50, generator=torch.Generator().manual_seed(seed)) * 14
    scale, wanted = steps.sigma(ABAR), torch.cat([torch.tensor([0.0, 0.001, 100.0]), within])
    want = EulerDiscreteScheduler()._sigma_to_t(wanted.numpy(), scale.log().numpy())
    found = steps.t_from_sigma(wanted, ABAR)
    assert_close(found, torch.as_tensor(want).float(), rtol=1e-4, atol=1e-3)
    assert found[0] == found[1] == 0 and found[2] == 999
    assert_close(steps.t_from_sigma(scale, ABAR), torch.arange(1000.0), rtol=0, atol=1e-3)


@twin("karras_sigmas")
@pytest.mark.parametrize("count", [1, 2, 10, 50])
@pytest.mark.parametrize("low, high", [(0.03, 14.6), (0.5, 2.0)])
def test_karras_sigmas(count, low, high):
    want = EulerDiscreteScheduler()._convert_to_karras(np.array([high, low]), count)
    assert_close(steps.karras_sigmas(count, low, high), torch.as_tensor(want).float())
    even = steps.karras_sigmas(count, low, high, rho=1.0).diff()
    assert_close(even, even.mean().expand_as(even) if count > 1 else even)


@twin("spaced_levels")
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("count", [1, 7, 20, 1000])
def test_spaced_levels(spacing, count):
    scheduler = DDPMScheduler(**SETTINGS, timestep_spacing=spacing)
    scheduler.set_timesteps(count)
    *levels, end = steps.spaced_levels(ABAR, count, spacing)
    assert [t for t, _ in levels] == scheduler.timesteps.tolist()
    assert [a for _, a in levels] == scheduler.alphas_cumprod[scheduler.timesteps].tolist()
    assert end == (-1, 1.0)


def test_spaced_levels_of_another_schedule():
    levels = steps.spaced_levels(steps.abar(steps.cosine_betas(50)), 5, "leading", 1)
    assert [t for t, _ in levels] == [41, 31, 21, 11, 1, -1]
    with pytest.raises(ValueError, match="it must be a whole number from 1 to 50"):
        steps.spaced_levels(steps.abar(steps.cosine_betas(50)), 51)


@twin("karras_levels")
@pytest.mark.parametrize("count", [1, 5, 20])
def test_karras_levels(count):
    scheduler = EulerDiscreteScheduler(**SETTINGS, use_karras_sigmas=True, timestep_spacing="linspace")
    scheduler.set_timesteps(count)
    levels = steps.karras_levels(ABAR, count)
    if count == 1:  # the library then takes "linspace"'s only level, 0, for both ends
        assert levels == [pytest.approx((999, ABAR[-1].item()), rel=1e-5), (-1, 1.0)]
        return
    assert_close(torch.tensor([t for t, _ in levels[:-1]]), scheduler.timesteps, rtol=1e-4, atol=1e-3)
    assert_close(steps.sigma(torch.tensor([a for _, a in levels])), scheduler.sigmas, rtol=1e-4, atol=1e-4)
