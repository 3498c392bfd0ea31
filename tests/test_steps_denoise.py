import pytest
import torch
from diffusers import DDIMScheduler
from tiny import scheduler as tiny_scheduler
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

TYPES = ["epsilon", "v_prediction", "sample"]
SHAPES = [(1, 4, 8, 8), (3, 3, 16, 12)]


def library(prediction_type="epsilon", count=20):
    """The library's scheduler, its levels in float64 so that only the formula is compared."""
    scheduler = tiny_scheduler(prediction_type=prediction_type)
    scheduler.set_timesteps(count)
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    return scheduler


def pictures(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]


@twin("predict_x0", "x0_from_v", "to_x0")
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("t", [49, 499, 999])
def test_clean_image(kind, shape, t):
    scheduler, (out, x_t) = library(kind), pictures(shape, t)
    abar_t = scheduler.alphas_cumprod[t]
    want = scheduler.step(out, t, x_t).pred_original_sample
    assert_close(steps.to_x0(out, x_t, abar_t, kind), want)
    one = {
        "epsilon": lambda: steps.predict_x0(x_t, out, abar_t),
        "v_prediction": lambda: steps.x0_from_v(out, x_t, abar_t),
        "sample": lambda: out,
    }
    assert_close(one[kind](), want)


@twin("eps_from_v", "eps_from_x0", "to_eps")
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("t", [99, 499, 999])
def test_noise(kind, shape, t):
    """The library does not return its noise; it is what a step has besides the clean image."""
    scheduler, (out, x_t) = library(kind), pictures(shape, t)
    abar_t, abar_s = scheduler.alphas_cumprod[[t, t - 50]]
    x_s, x_0 = scheduler.step(out, t, x_t, return_dict=False)
    want = (x_s - abar_s**0.5 * x_0) / (1 - abar_s) ** 0.5
    assert_close(steps.to_eps(out, x_t, abar_t, kind), want)
    one = {
        "epsilon": lambda: out,
        "v_prediction": lambda: steps.eps_from_v(out, x_t, abar_t),
        "sample": lambda: steps.eps_from_x0(out, x_t, abar_t),
    }
    assert_close(one[kind](), want)


@twin("ddim_step")
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 7, 20])
@pytest.mark.parametrize("seed", [0, 1])
def test_ddim_step(shape, count, seed):
    scheduler, (eps, x_t) = library(count=count), pictures(shape, seed)
    for t, s in steps.ddim_timesteps(count):
        abar_t, abar_s = (scheduler.alphas_cumprod[k] if k >= 0 else 1.0 for k in (t, s))
        want = scheduler.step(eps, t, x_t).prev_sample
        assert_close(steps.ddim_step(x_t, eps, abar_t, abar_s), want)


def test_one_level_for_each_picture():
    """With as many pictures as columns, a level must still belong to a picture."""
    eps, x_t = pictures((8, 4, 8, 8), 0)
    abar_t = torch.linspace(0.1, 0.5, 8, dtype=torch.float64)
    together = steps.ddim_step(x_t, eps, abar_t, abar_t + 0.4)
    alone = [steps.ddim_step(x_t[i : i + 1], eps[i : i + 1], abar_t[i], abar_t[i] + 0.4) for i in range(8)]
    assert_close(together, torch.cat(alone))
    for convert in (steps.eps_from_v, steps.x0_from_v, steps.eps_from_x0):
        assert_close(convert(eps, x_t, abar_t)[3:4], convert(eps[3:4], x_t[3:4], abar_t[3]))


def test_round_trips():
    x_0, eps = pictures((2, 4, 8, 8), 0)
    x_t, v = steps.q_sample(x_0, eps, 0.3), steps.velocity(x_0, eps, 0.3)
    for kind, out in zip(TYPES, (eps, v, x_0), strict=True):
        assert_close(steps.to_eps(out, x_t, 0.3, kind), eps)
        assert_close(steps.to_x0(out, x_t, 0.3, kind), x_0)
    assert_close(steps.ddim_step(x_t, eps, 0.3, 0.8), steps.q_sample(x_0, eps, 0.8))


@pytest.mark.parametrize("convert", [steps.to_eps, steps.to_x0])
def test_unknown_prediction_type(convert):
    with pytest.raises(ValueError, match="prediction_type is 'flow'; it must be 'epsilon'"):
        convert(torch.zeros(1), torch.zeros(1), 0.5, "flow")


@twin("ddim_timesteps")
@pytest.mark.parametrize("T", [1000, 50, 999])
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("offset", [0, 1])
def test_timesteps(T, spacing, offset):
    scheduler = DDIMScheduler(T, timestep_spacing=spacing, steps_offset=offset)
    for count in range(1, T + 1):
        scheduler.set_timesteps(count)
        want = [t for t in scheduler.timesteps.tolist() if t >= 0]
        if want[0] >= T:
            with pytest.raises(ValueError, match="take fewer steps"):
                steps.ddim_timesteps(count, T, spacing, offset)
            continue
        pairs = steps.ddim_timesteps(count, T, spacing, offset)
        assert len(pairs) == count
        assert [t for t, _ in pairs] == want
        assert [s for _, s in pairs] == [max(t - T // count, -1) for t in want]


def test_the_library_has_one_level_too_many_for_61_steps():
    """If this fails, the library was mended, and the docstring of ddim_timesteps should say so."""
    scheduler = DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(61)
    assert len(scheduler.timesteps) == 62 and scheduler.timesteps[-1] == -1


@pytest.mark.parametrize("count", [0, -1, 1001, 2.0, True, "20", None, float("nan")])
def test_wrong_number_of_steps(count):
    with pytest.raises(ValueError, match="it must be a whole number from 1 to 1000"):
        steps.ddim_timesteps(count)


def test_wrong_spacing():
    with pytest.raises(ValueError, match="spacing is 'karras'; it must be 'trailing', 'leading' or"):
        steps.ddim_timesteps(20, spacing="karras")
