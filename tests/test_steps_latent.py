import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

CASES = pytest.mark.parametrize("shape, seed, spread", [((1, 8, 8, 8), 0, 1), ((3, 8, 16, 12), 1, 1), ((2, 8, 4, 4), 2, 40)])


def encoded(shape, seed, spread):
    """The encoder's answer, mean and logvar; a spread of 40 reaches the limits of logvar."""
    moments = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * spread
    return *moments.chunk(2, dim=1), DiagonalGaussianDistribution(moments)


@twin("sample_latent")
@CASES
def test_sample(shape, seed, spread):
    mean, logvar, library = encoded(shape, seed, spread)
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert_close(steps.sample_latent(mean, logvar, eps), library.sample(torch.Generator().manual_seed(seed)))


@twin("kl_to_unit")
@CASES
def test_kl(shape, seed, spread):
    mean, logvar, library = encoded(shape, seed, spread)
    assert_close(steps.kl_to_unit(mean, logvar), library.kl())
    assert steps.kl_to_unit(mean, logvar).shape == shape[:1]


def test_kl_against_torch():
    mean, logvar, _ = encoded((2, 8, 4, 4), 0, 1)
    unit = torch.distributions.Normal(torch.zeros_like(mean), 1)
    want = torch.distributions.kl_divergence(torch.distributions.Normal(mean, (logvar / 2).exp()), unit)
    assert_close(steps.kl_to_unit(mean, logvar), want.sum(dim=(1, 2, 3)))
    assert steps.kl_to_unit(torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 8, 8)) == 0


def test_gradients_reach_mean_and_logvar():
    mean, logvar = (torch.zeros(1, 4, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    steps.sample_latent(mean, logvar, torch.full_like(mean, 2.0)).sum().backward()
    assert_close(mean.grad, torch.ones_like(mean))
    assert_close(logvar.grad, torch.ones_like(mean))  # d exp(logvar / 2) eps = eps / 2 at 0
