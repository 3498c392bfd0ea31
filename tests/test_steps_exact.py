"""The exact denoisers against torch.distributions, which knows the density and differentiates it."""

import pytest
import torch
from tiny import twin
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
from torch.testing import assert_close

from edu_diffusion import steps

CASES = pytest.mark.parametrize("shape, K, seed", [((2,), 4, 0), ((1, 3, 3), 5, 1), ((4,), 1, 2)])
LEVELS = pytest.mark.parametrize("abar_t", [0.02, 0.5, 0.98])


def mixture(shape, K, seed):
    """Centres, spreads and weights, and a few points among them."""
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    stds, weights = torch.rand(K, **draw) + 0.05, torch.rand(K, **draw) + 0.1
    return torch.randn(6, *shape, **draw), torch.randn(K, *shape, **draw) * 2, stds, weights / weights.sum()


def library(means, stds, logits, abar_t):
    """The density of x_t: the mixture, shrunk by sqrt(abar_t) and blurred by the noise."""
    scale = (abar_t * stds**2 + 1 - abar_t).sqrt()[:, None].expand(-1, means[0].numel())
    components = Independent(Normal(abar_t**0.5 * means.flatten(1), scale), 1)
    return MixtureSameFamily(Categorical(logits=logits), components)


def score(density, x_t):
    """The gradient of the log density, by autograd."""
    x = x_t.clone().requires_grad_()
    return torch.autograd.grad(density.log_prob(x.flatten(1)).sum(), x)[0]


@twin("mixture_posterior")
@CASES
@LEVELS
def test_posterior(shape, K, seed, abar_t):
    x_t, means, stds, weights = mixture(shape, K, seed)
    got = steps.mixture_posterior(x_t, abar_t, means, stds, weights)
    for i, x in enumerate(x_t):
        logits = weights.log().requires_grad_()
        log_prob = library(means, stds, logits, abar_t).log_prob(x.flatten())
        slope = torch.autograd.grad(log_prob, logits)[0]  # p - weights, since they are made to sum to 1
        assert_close(got[i], weights + slope)
    assert_close(got.sum(dim=1), torch.ones(6, dtype=torch.float64))


@twin("mixture_x0")
@CASES
@LEVELS
def test_mixture(shape, K, seed, abar_t):
    x_t, means, stds, weights = mixture(shape, K, seed)
    slope = score(library(means, stds, weights.log(), abar_t), x_t)
    x_0 = steps.mixture_x0(x_t, abar_t, means, stds, weights)
    assert_close(x_0, (x_t + (1 - abar_t) * slope) / abar_t**0.5)
    assert_close(steps.eps_from_x0(x_0, x_t, abar_t), -((1 - abar_t) ** 0.5) * slope)


@twin("dataset_x0")
@CASES
@LEVELS
def test_dataset(shape, K, seed, abar_t):
    """Every picture a component of hardly any spread."""
    x_t, data, _, _ = mixture(shape, K, seed)
    density = library(data, data.new_full((K,), 1e-9), data.new_zeros(K), abar_t)
    want = (x_t + (1 - abar_t) * score(density, x_t)) / abar_t**0.5
    assert_close(steps.dataset_x0(x_t, abar_t, data), want)


def test_one_level_for_all_or_one_for_each():
    x_t, means, stds, weights = mixture((1, 2, 6), 4, 0)  # as many points as columns
    each = torch.linspace(0.1, 0.9, 6, dtype=torch.float64)
    got = steps.mixture_x0(x_t, each, means, stds, weights)
    copied = steps.dataset_x0(x_t, each, means)
    for i, abar_t in enumerate(each):
        assert_close(got[i], steps.mixture_x0(x_t, abar_t, means, stds, weights)[i])
        assert_close(copied[i], steps.dataset_x0(x_t, float(abar_t), means)[i])


def test_it_is_the_best_guess_there_is():
    """On average over points drawn from the mixture, its squared error is below that of any change of it."""
    generator = torch.Generator().manual_seed(0)
    means, stds = torch.tensor([[-2.0, 0.0], [1.0, 1.0]]), torch.tensor([0.3, 0.6])
    weights = torch.tensor([0.3, 0.7])
    k = torch.multinomial(weights, 20_000, replacement=True, generator=generator)
    noise, eps = (torch.randn(20_000, 2, generator=generator) for _ in range(2))
    x_0 = means[k] + stds[k, None] * noise
    x_t = steps.q_sample(x_0, eps, 0.3)
    guess = steps.mixture_x0(x_t, 0.3, means, stds, weights)
    least = (guess - x_0).square().mean()
    others = [guess * 1.1, guess * 0.9, guess + 0.1, steps.dataset_x0(x_t, 0.3, means), x_t]
    assert all((other - x_0).square().mean() > least for other in others)
    assert_close((guess - x_0).mean(dim=0), torch.zeros(2), rtol=0, atol=0.03)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("abar_t", [1e-12, 0.5, 1 - 1e-6])
def test_pictures_of_many_numbers(dtype, abar_t):
    """Their densities are far below the smallest number there is; the weights must not be 0 / 0."""
    data = torch.rand(5, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(dtype) * 2 - 1
    x_t = steps.q_sample(data[[3, 1]], torch.ones_like(data[:2]), abar_t)
    x_0 = steps.dataset_x0(x_t, abar_t, data)
    assert x_0.isfinite().all() and x_0.dtype == dtype
    want = data[[3, 1]] if abar_t >= 0.5 else data.mean(dim=0).expand(2, -1, -1, -1)
    assert_close(x_0, want, rtol=0, atol=1e-2)
    spread = steps.mixture_x0(x_t, abar_t, data, data.new_full((5,), 0.1), data.new_ones(5))
    assert spread.isfinite().all()


def test_no_signal_at_all():
    x_t, means, stds, weights = mixture((2,), 4, 0)
    assert_close(steps.mixture_x0(x_t, 0.0, means, stds, weights), (weights @ means).expand(6, -1))
    assert_close(steps.dataset_x0(x_t, 0.0, means), means.mean(dim=0).expand(6, -1))


def test_a_component_that_is_not_there():
    x_t, means, stds, weights = mixture((2,), 4, 0)
    weights[2] = 0
    got = steps.mixture_x0(x_t, 0.5, means, stds, weights)
    keep = [0, 1, 3]
    assert_close(got, steps.mixture_x0(x_t, 0.5, means[keep], stds[keep], weights[keep]))


def draw(denoise, shape, seed, levels):
    """DDIM from noise, with an exact denoiser in place of a network."""
    x_t = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    for abar_t, abar_s in zip(levels[:-1], levels[1:]):
        eps = steps.eps_from_x0(denoise(x_t, abar_t), x_t, abar_t)
        x_t = steps.ddim_step(x_t, eps, abar_t, abar_s)
    return x_t


def test_the_exact_denoiser_of_a_training_set_only_copies():
    data = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    levels = [*steps.abar(steps.scaled_linear_betas())[range(999, 0, -20)], 1.0]
    drawn = draw(lambda x_t, abar_t: steps.dataset_x0(x_t, abar_t, data), (30, 1, 8, 8), 1, levels)
    difference, nearest = (drawn[:, None] - data).abs().flatten(2).amax(dim=2).min(dim=1)
    assert difference.max() < 1e-5
    assert len(set(nearest.tolist())) > 10  # and not always the same one


def test_the_exact_denoiser_of_a_mixture_draws_the_mixture():
    means, stds = torch.tensor([[-2.0, 0.0], [2.0, 1.0]]), torch.tensor([0.2, 0.4])
    data = means, stds, torch.tensor([0.25, 0.75])
    levels = [*steps.abar(steps.cosine_betas())[range(990, 0, -10)], 1.0]  # hardly any signal at the start
    drawn = draw(lambda x_t, abar_t: steps.mixture_x0(x_t, abar_t, *data), (4000, 2), 0, levels)
    right = drawn[drawn[:, 0] > 0]
    assert abs(len(right) / 4000 - 0.75) < 0.03
    assert_close(right.mean(dim=0), means[1], rtol=0, atol=0.03)
    assert_close(right.std(dim=0), stds[[1, 1]], rtol=0, atol=0.03)


def test_centres_of_another_shape():
    with pytest.raises(ValueError, match=r"means has the shape \(5, 3\); it must be \(K, 2\), like x_t"):
        steps.mixture_x0(torch.zeros(4, 2), 0.5, torch.zeros(5, 3), torch.ones(5), torch.ones(5))
    with pytest.raises(ValueError, match=r"shape \(5, 8, 8\); it must be \(K, 1, 8, 8\)"):
        steps.dataset_x0(torch.zeros(4, 1, 8, 8), 0.5, torch.zeros(5, 8, 8))
