"""Lesson 04's questions: other ways to the right numbers are right, what a hint says is so, and predictions are computed."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

import edu_diffusion as ed
from edu_diffusion import steps
from edu_diffusion.data import digits, scenes
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises.vae import encoded, spread
from edu_diffusion.train import loop, vae


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
        ("sample_latent", lambda mean, logvar, eps: mean + logvar.sqrt() * eps, "and then it has no root"),
        ("sample_latent", lambda mean, logvar, eps: mean + torch.std(torch.exp(logvar)) * eps, "one number for all of them"),
        (
            "sample_latent",
            lambda mean, logvar, eps: mean + (logvar / 2).exp() * torch.randn_like(eps),
            "a different result each time",
        ),
        ("sample_latent", lambda mean, logvar, eps: mean.add_(eps), "changes what it is given"),
        ("sample_latent", lambda mean, logvar, eps: mean + 3 ** (logvar / 2) * eps, "the numbers differ"),
        ("sample_latent", lambda mean, logvar, eps: mean + logvar.exp() ** 2 * eps, "not doubled"),
        ("sample_latent", lambda mean, logvar, eps: mean + 2 * (logvar / 2).exp() * eps, "the numbers differ"),
        ("sample_latent", lambda mean, logvar, eps: logvar, "the result is logvar itself"),
        (
            "sample_latent",
            lambda mean, logvar, eps: eps * (mean + logvar.exp().sqrt()),
            "only the standard deviation is multiplied",
        ),
        ("sample_latent", lambda mean, logvar, eps: eps / 10 + mean, "compute it from logvar"),
        ("sample_latent", lambda mean, logvar, eps: mean + (10**logvar).sqrt() * eps, "not a power of 10"),
        ("sample_latent", lambda mean, logvar, eps: mean + torch.e ** (eps * logvar / 2), "exp belongs to logvar / 2 alone"),
        ("sample_latent", lambda mean, logvar, eps: mean + math.exp(logvar) ** 0.5 * eps, "there are torch.exp and torch.log"),
        ("kl_to_unit", lambda mean, logvar: (math.log(1 / logvar.exp()) + mean**2).sum(), "there are torch.exp and torch.log"),
        (
            "kl_to_unit",
            lambda mean, logvar: (logvar.exp() + mean**2 / 2 - (1 + logvar) / 2).sum((1, 2, 3)),
            "above one fraction bar",
        ),
        ("kl_to_unit", lambda mean, logvar: (mean**2 / 2 / logvar.exp() - logvar / 2).sum((1, 2, 3)), "below the fraction bar"),
        (
            "kl_to_unit",
            lambda mean, logvar: ((logvar.exp().square() + mean**2) / 2 - logvar - 0.5).flatten(1).sum(1),
            "not the standard dev",
        ),
        (
            "kl_to_unit",
            lambda mean, logvar: ((mean**2 + logvar.exp() - logvar).sum((1, 2, 3)) - 1) / 2,
            "subtracted once, after the sum",
        ),
        (
            "kl_to_unit",
            lambda mean, logvar: ((mean**2 + logvar.exp() - logvar) / 2 - 1).sum((1, 2, 3)),
            "the constant counts double",
        ),
        ("kl_to_unit", lambda mean, logvar: 2 * steps.kl_to_unit(mean, logvar) / 3, "always 0.6667 times"),
        ("kl_to_unit", lambda mean, logvar: steps.kl_to_unit(mean, logvar) + 1, "every number is off by"),
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


def normal_kl(mean, std):
    return kl_divergence(Normal(torch.tensor(float(mean)), std), Normal(torch.tensor(0.0), 1)).item()


def test_the_divergence_of_one_number():
    right = EXERCISES["precise"].right
    assert right == pytest.approx(normal_kl(0, 0.1), rel=1e-5)
    assert normal_kl(1.9, 1) == pytest.approx(right, rel=0.01)  # as the praise says
    assert verdict("precise", torch.tensor(right)).right and not verdict("precise", 1.6).right


def test_how_many_times_fewer_numbers():
    assert EXERCISES["fewer"].right == math.prod((512, 512, 3)) / math.prod((64, 64, 4))
    assert verdict("fewer", 30).right is False and "factor by which the edge" in verdict("fewer", 8).words


def test_half_way_between_two_latents_both_images_show():
    pipe, x_0 = ed.load("base", "cpu"), scenes.batch(3, seed=29).images[:2]
    z = ed.encode(pipe, x_0)
    apart = lambda a, b: (a - b).abs().mean()
    assert apart(ed.decode(pipe, z.mean(0, keepdim=True))[0], x_0.mean(0)) < apart(*x_0) / 3
    assert EXERCISES["halfway"].right == "B"


def trained(weight, nn=torch.nn):
    """The lesson's VAE of digits, trained for a moment; returns its error, and the spread of its latents."""
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 4))
    decoder = nn.Sequential(nn.Linear(2, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 64), nn.Tanh())

    def loss(step):
        x = digits.batch(128, step).images
        mean, logvar = encoder(x).chunk(2, dim=1)
        z = steps.sample_latent(mean, logvar, torch.randn(mean.shape, generator=loop.generator(0, step)))
        return (decoder(z) - x.flatten(1)).square().mean() + weight * steps.kl_to_unit(mean, logvar).mean()

    list(loop.fit(nn.ModuleList([encoder, decoder]), loss, steps=250, lr=3e-3))
    with torch.no_grad():
        x = digits.batch(500, 10_000).images
        mean = encoder(x)[:, :2]
        return (decoder(mean) - x.flatten(1)).square().mean().item(), mean.std().item()


def test_without_the_divergence_reconstructions_improve_and_latents_spread():
    (error, spread), (free_error, free_spread) = trained(0.01), trained(0.0)
    assert free_error < error and free_spread > 1.5 * spread
    assert EXERCISES["no_price"].right == "B"
