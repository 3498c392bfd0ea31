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
