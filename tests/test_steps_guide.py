import pytest
import torch
from diffusers import ClassifierFreeGuidance
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps


def predictions(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]


@twin("guide")
@pytest.mark.parametrize("shape", [(1, 4, 8, 8), (3, 4, 16, 12)])
@pytest.mark.parametrize("g", [0.0, 0.5, 1.0, 4.0, 7.5, -2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_guide(shape, g, seed):
    eps_u, eps_c = predictions(shape, seed)
    assert_close(steps.guide(eps_u, eps_c, g), ClassifierFreeGuidance(g).forward(eps_c, eps_u).pred)


def test_the_papers_w_is_g_minus_one():
    eps_u, eps_c = predictions((1, 4, 8, 8), 0)
    paper = ClassifierFreeGuidance(6.5, use_original_formulation=True).forward(eps_c, eps_u).pred
    assert_close(steps.guide(eps_u, eps_c, 7.5), paper)


def test_the_two_ends():
    eps_u, eps_c = predictions((1, 4, 8, 8), 0)
    assert_close(steps.guide(eps_u, eps_c, 0), eps_u)
    assert_close(steps.guide(eps_u, eps_c, 1), eps_c)


@twin("guidance_at")
@pytest.mark.parametrize("count", [1, 4, 7, 20])
@pytest.mark.parametrize("start, stop", [(0.0, 1.0), (0.25, 0.8), (0.0, 0.5), (0.5, 1.0), (0.3, 0.31)])
def test_guidance_in_an_interval(count, start, stop):
    """The library counts steps, from int(start * count) to before int(stop * count); we name their levels."""
    eps_u, eps_c = predictions((1, 4, 8, 8), 0)
    levels = [t for t, _ in steps.ddim_timesteps(count)]
    inside = levels[int(start * count) : int(stop * count)]
    interval = (inside[-1], inside[0]) if inside else (1000, 1000)
    guider = ClassifierFreeGuidance(4.0, start=start, stop=stop)
    for i, t in enumerate(levels):
        guider.set_state(i, count, torch.tensor(t))
        g = steps.guidance_at(t, 4.0, interval)
        assert_close(steps.guide(eps_u, eps_c, g), guider.forward(eps_c, eps_u).pred)
        assert (g == 1) == (guider.num_conditions == 1)  # outside, neither asks for a second prediction


def test_no_interval_is_every_level():
    assert [steps.guidance_at(t, 4.0) for t in (0, 999)] == [4.0, 4.0]


@pytest.mark.parametrize("interval", [(800, 200), 500, (200,), (0, float("nan")), "ab", (False, 5)])
def test_no_such_interval(interval):
    with pytest.raises(ValueError, match="it must be two timesteps, the lower first"):
        steps.guidance_at(500, 4.0, interval)
