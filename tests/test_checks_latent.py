"""Lesson 04's exercises: other ways to the right numbers are right, and what a hint says is so."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises.vae import encoded, spread
from edu_diffusion.train import vae


def through_torch(mean, logvar):
    noise = Normal(torch.zeros_like(mean), 1)
    return kl_divergence(Normal(mean, (logvar / 2).exp()), noise).flatten(1).sum(1)


@pytest.mark.parametrize(
    "name, mine",
    [
        ("sample_latent", lambda mean, logvar, eps: mean + torch.sqrt(torch.exp(logvar)) * eps),
        ("sample_latent", lambda mean, logvar, eps: torch.addcmul(mean, (logvar / 2).exp(), eps)),
        ("kl_to_unit", through_torch),
        ("kl_to_unit", lambda mean, logvar: -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum((1, 2, 3))),
    ],
)
def test_another_way_to_the_same_numbers_is_right(name, mine):
    assert verdict(name, mine).right


def test_the_references_are_what_the_recipe_runs():
    for name in ("sample_latent", "kl_to_unit"):
        assert EXERCISES[name].reference is getattr(steps, name) is getattr(vae, name)


@pytest.mark.parametrize(
    "name, mine, words",
    [
        ("sample_latent", lambda mean, logvar, eps: mean + logvar.sqrt() * eps, "NaN or infinite"),
        (
            "sample_latent",
            lambda mean, logvar, eps: mean + (logvar / 2).exp() * torch.randn_like(eps),
            "a different result each time",
        ),
        ("sample_latent", lambda mean, logvar, eps: mean.add_(eps), "changes what it is given"),
        ("sample_latent", lambda mean, logvar, eps: mean + 3 ** (logvar / 2) * eps, "the numbers differ"),
        (
            "kl_to_unit",
            lambda mean, logvar: 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum((0, 1)),
            r"shape \(3, 3\); it must be \(2,\)",
        ),
        ("kl_to_unit", lambda mean, logvar: mean.flatten(1).sum(1), "the numbers differ"),
    ],
)
def test_other_mistakes_get_a_sentence_too(name, mine, words):
    right, said = verdict(name, mine)
    assert right is False and __import__("re").search(words, said), said


def test_the_hints_on_the_divergence_are_true():
    """It is 0 at mean = logvar = 0, and above 0 wherever the hints say that something must cost something."""
    zero = torch.zeros(1, 4, 2, 2)
    assert steps.kl_to_unit(zero, zero) == 0
    for mean, logvar in ((zero + 3, zero), (zero - 3, zero), (zero, zero - 5), (zero, zero + 2)):
        assert steps.kl_to_unit(mean, logvar) > 1


def test_the_cases_tell_pictures_and_channels_apart():
    """Every size differs from the number of pictures: no sum over a wrong dimension fits by chance."""
    for mean, *_ in (*encoded(), *spread()):
        assert len(mean) not in mean.shape[1:]
