import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps


def pictures(count, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, 4, 3, 3, generator=generator, dtype=dtype) for _ in range(count)]


@twin("flow_sample")
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_noisy_image(shift):
    scheduler, (x_0, eps) = FlowMatchEulerDiscreteScheduler(shift=shift), pictures(2)
    chosen = [0, 400, 999]
    want = scheduler.scale_noise(x_0, scheduler.timesteps[chosen], eps)
    assert_close(steps.flow_sample(x_0, eps, scheduler.sigmas[chosen]), want)
    for t, end in ((0.0, x_0), (1.0, eps)):
        assert_close(steps.flow_sample(x_0, eps, t), end)


@twin("flow_euler_step")
@pytest.mark.parametrize("count", [1, 4, 20])
@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_path(count, shift):
    scheduler, (x,) = FlowMatchEulerDiscreteScheduler(shift=shift), pictures(1)
    scheduler.set_timesteps(count)
    net, want = lambda x, t: torch.tanh(x + t) + 0.3 * x.flip(-1), x
    for timestep, t, s in zip(scheduler.timesteps, scheduler.sigmas, scheduler.sigmas[1:], strict=False):
        want = scheduler.step(net(want, t), timestep, want).prev_sample
        x = steps.flow_euler_step(x, net(x, t), t, s)
        assert_close(x, want)


@pytest.mark.parametrize("t, s", [(0.99, 0.5), (0.5, 0.1), (0.3, 0.0)])
def test_the_same_step_in_other_variables(t, s):
    """Scaled to variance 1, a flow's picture is a diffusion's at abar = (1 - t)^2 / ((1 - t)^2 + t^2)."""
    x_0, eps = pictures(2, torch.float64)
    size = lambda t: ((1 - t) ** 2 + t**2) ** 0.5  # noqa: E731
    abar_t, abar_s = ((1 - r) ** 2 / size(r) ** 2 for r in (t, s))
    x_t = steps.flow_sample(x_0, eps, t)
    assert_close(x_t / size(t), steps.q_sample(x_0, eps, abar_t))
    x_s = steps.flow_euler_step(x_t, eps - x_0, t, s)
    assert_close(x_s / size(s), steps.ddim_step(x_t / size(t), eps, abar_t, abar_s))


def test_one_share_for_each_picture():
    x_0, eps = pictures(2)
    t, s = torch.tensor([0.9, 0.5, 0.2]), torch.tensor([0.8, 0.1, 0.0])
    x_t = steps.flow_sample(x_0, eps, t)
    together = steps.flow_euler_step(x_t, eps - x_0, t, s)
    assert_close(together, steps.flow_sample(x_0, eps, s))
