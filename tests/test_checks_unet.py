"""Lesson 06's questions: letters say what a U-Net does, other ways to the right numbers are right, wrong answers get a hint."""

import math
import re

import pytest
import tiny
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_timestep_embedding
from torch.testing import assert_close

from edu_diffusion import models, steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises import unet as bank
from edu_diffusion.exercises.attention import attending, looks, tokens
from edu_diffusion.exercises.unet import times


def broken(q, k, v):
    """The function of the lesson, before it is corrected."""
    scores = q @ k.transpose(-2, -1) / q.shape[-1]
    return scores.softmax(dim=-2) @ v


def by_power(t, width):
    f = 10000 ** (-torch.arange(width // 2) / (width / 2))
    angles = torch.outer(t.float(), f)
    return torch.hstack([angles.cos(), angles.sin()])


def by_products(t, width):
    """Each frequency is the previous one times the factor, as the text says."""
    frequencies, factor = [1.0], 10000 ** (-2 / width)
    while len(frequencies) < width // 2:
        frequencies.append(frequencies[-1] * factor)
    return torch.tensor([[f(x * w) for f in (math.cos, math.sin) for w in frequencies] for x in t.tolist()])


def row_by_row(q, k, v):
    """Attention of each token to the tokens up to itself, one after the other."""
    upto = [slice(0, i + 1) for i in range(q.shape[-2])]
    rows = [steps.multi_head_attention(q[..., i : i + 1, :], k[..., s, :], v[..., s, :]) for i, s in enumerate(upto)]
    return torch.cat(rows, dim=-2)


def by_einsum(q, k, v):
    alike = torch.einsum("...nd,...md->...nm", q, k) * q.shape[-1] ** -0.5
    parts = alike.exp()
    return (parts / parts.sum(-1, keepdim=True)) @ v


@pytest.mark.parametrize(
    "name, mine",
    [
        ("timestep_embedding", by_power),
        ("timestep_embedding", lambda t, width: get_timestep_embedding(t, width, True, 0)),
        ("attention", by_einsum),
        ("attention", F.scaled_dot_product_attention),
        ("timestep_embedding", by_products),
        ("causal_attention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)),
        ("causal_attention", row_by_row),
        ("causal_attention", lambda q, k, v: steps.multi_head_attention(q, k, v, torch.full((q.shape[-2],) * 2, -1e9).triu(1))),
    ],
)
def test_another_way_to_the_same_numbers_is_right(name, mine):
    assert verdict(name, mine).right


def waves(t, f):
    return torch.cat([torch.cos(t[:, None] * f), torch.sin(t[:, None] * f)], dim=1)


def looking_back(q, k, v, hidden=-torch.inf):
    later = torch.ones(q.shape[-2], k.shape[-2]).triu(1).bool()
    return torch.where(later, hidden, q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v


def hiding(q, k, v, part):
    return (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(part(torch.ones(q.shape[-2], k.shape[-2])) > 0, -torch.inf).softmax(-1) @ v


def weighted(q, k, change):
    return change((q @ k.mT / q.shape[-1] ** 0.5).softmax(-1))


def attend(q, k, v, d, dim=-1):
    return F.softmax(torch.matmul(q, k.mT) / d, dim=dim) @ v


@pytest.mark.parametrize(
    "name, mine, words",
    [
        ("timestep_embedding", lambda t, width: by_power(t, width).T, r"shape \(8, 3\); it must be \(3, 8\)"),
        ("timestep_embedding", lambda t, width: by_power(t, width) / 0, "NaN or infinite"),
        ("timestep_embedding", lambda t, width: by_power(t, width) * 2, "always 2 times"),
        ("attention", lambda q, k, v: q @ k @ v, "stopped with RuntimeError"),
        ("attention", lambda q, k, v: q.mul_(0), "changes what it is given"),
        ("attention", lambda q, k, v: F.dropout(by_einsum(q, k, v)), "a different result each time"),
        ("attention", lambda q, k, v: by_einsum(q, k, v).sum(), "mean or a sum"),
        ("attention", broken, "there are two mistakes"),
        (
            "attention",
            lambda q, k, v: (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-2) @ v,
            "the softmax goes over the keys",
        ),
        ("attention", lambda q, k, v: (q @ k.transpose(-2, -1) / q.shape[-1]).softmax(dim=-1) @ v, "not by d"),
        ("causal_attention", lambda q, k, v: by_einsum(q, k, v).flip(-2), "differ"),
        ("causal_attention", lambda q, k, v: by_einsum(q[..., :1, :], k, v), "shape"),
        ("causal_attention", lambda q, k, v: row_by_row(q, k, v) * 2, "always 2 times"),
        ("causal_attention", lambda q, k, v: steps.multi_head_attention(q, k, v, -torch.inf), "NaN"),
        ("causal_attention", lambda q, k, v: v, "its own value only"),
        ("timestep_embedding", lambda t, width: waves(t, torch.linspace(1, 0.0001, width // 2)), "by the same .difference."),
        ("timestep_embedding", lambda t, width: waves(t, 10000 ** (-2 * torch.arange(0, width, 2) / width)), "counts twice"),
        ("timestep_embedding", lambda t, width: waves(t, torch.exp(-torch.arange(0, width, 2) / width)), "multiplied by -log"),
        ("attention", lambda q, k, v: attend(q, k, v, q.shape[-2] ** 0.5), "not the number of queries"),
        ("attention", lambda q, k, v: F.softmax(q @ k.mT / q.shape[-1] ** 1 / 2, dim=-1) @ v, "divides by d and by 2"),
        ("attention", lambda q, k, v: attend(q, k, v, q.shape[-1] ** 1 / 2), "divides by d / 2"),
        ("attention", lambda q, k, v: attend(q, k, v, q.shape[-1] ** 0.5, dim=1), "dim=1 is that of the heads"),
        ("attention", lambda q, k, v: F.softmax(q @ k.mT @ v / q.shape[-1] ** 0.5, dim=-1), "before the weighted sum"),
        ("timestep_embedding", lambda t, width: by_power(t / 1000, width), "do not divide it"),
        ("timestep_embedding", lambda t, width: torch.cos(t * 10000 ** (-torch.arange(0, width, 2) / width)), "by each frequency"),
        ("timestep_embedding", lambda t, width: [t * 0.1**i for i in range(width / 2)], "width // 2 is an integer"),
        (
            "attention",
            lambda q, k, v: (q @ k.transpose(0, 1) / q.shape[-1] ** 0.5).softmax(-1) @ v,
            "count dimensions from the end",
        ),
        ("attention", lambda q, k, v: (k @ q.mT / q.shape[-1] ** 0.5).softmax(-1) @ v, "not the other way round"),
        ("attention", lambda q, k, v: torch.matmul(v, weighted(q, k, abs)), "the weights stand on the left"),
        ("attention", lambda q, k, v: weighted(q, k, abs) * v, "a matrix product"),
        ("attention", lambda q, k, v: (q @ k.permute(*range(k.ndim)[::-1])).softmax(-1) @ v, "reverses all the dimensions"),
        (
            "causal_attention",
            lambda q, k, v: (q @ k.mT).masked_fill(torch.ones(2, 2).triu(1) > 0, -9).softmax(-1) @ v,
            "other dimensions",
        ),
        (
            "causal_attention",
            lambda q, k, v: (q @ k.mT).masked_fill(torch.ones(4, 4).triu(1) > 0, -9).softmax(-1) @ v,
            "the width of a query",
        ),
        (
            "causal_attention",
            lambda q, k, v: (q @ k.mT).masked_fill(torch.ones(5, 5).triu(1), -9).softmax(-1) @ v,
            "made of True and False",
        ),
        ("attention", lambda q, k, v: attend(q, k, v, q.shape[-1] ** 2), "not by its square"),
        ("attention", lambda q, k, v: torch.sigmoid(q @ k.mT / q.shape[-1] ** 0.5) @ v, "judges every key alone"),
        ("causal_attention", lambda q, k, v: looking_back(q, k, v, -10), "nearly, but not quite"),
        ("causal_attention", lambda q, k, v: looking_back(q, k, v, torch.inf), "needs .minus. infinity"),
        ("causal_attention", lambda q, k, v: looking_back(q * q.shape[-1] ** -0.5, k, v), "not by d"),
        (
            "causal_attention",
            lambda q, k, v: weighted(q, k, lambda w: w.masked_fill(w.triu(1) > 0, -torch.inf)) @ v,
            "before the softmax",
        ),
        ("causal_attention", lambda q, k, v: weighted(q, k, lambda w: w.tril().softmax(-1)) @ v, "taken twice"),
        ("causal_attention", lambda q, k, v: weighted(q, k, torch.triu) @ v, "the wrong half of the weights"),
        ("causal_attention", lambda q, k, v: hiding(q, k, v, torch.tril), "True for the keys to hide"),
        ("causal_attention", lambda q, k, v: hiding(q, k, v, torch.triu), "a token may attend to itself"),
        ("attention", lambda q, k, v: torch.sqrt(q @ k.mT / q.shape[-1]).softmax(-1) @ v, "the root of d alone"),
        ("timestep_embedding", lambda t, width: waves(t, 10000 ** (-2 * torch.arange(width) / width)), "twice as many"),
    ],
)
def test_other_mistakes_get_a_sentence_too(name, mine, words):
    right, said = verdict(name, mine)
    assert right is False and re.search(words, said), said


def test_the_references_are_the_packages_own():
    assert EXERCISES["attention"].reference is steps.multi_head_attention
    reference = EXERCISES["timestep_embedding"].reference
    for t, width in times():
        assert torch.equal(reference(t, width), steps.timestep_embedding(t, width))


def test_the_cases_tell_all_sizes_apart():
    for q, k, v in looks():
        assert len({q.shape[-2], q.shape[-1], k.shape[-2], v.shape[-1]}) == 4


@torch.no_grad()
def test_a_learners_attention_runs_in_the_real_unet_and_leaves_it_as_it_was():
    unet, calls = tiny.pipeline().unet, []
    z_t, c = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 32)

    def mine(q, k, v):
        calls.append((q.shape, k.shape))
        return by_einsum(q, k, v)

    before, processors = unet(z_t, 500, c).sample, dict(unet.attn_processors)
    with attending(unet, mine):
        assert_close(unet(z_t, 500, c).sample, before)
    assert len(calls) == len(processors) and {k[2] for _, k in calls} >= {5}, "self- and cross-attention"
    assert unet.attn_processors == processors
    with attending(unet, lambda q, k, v: 0 * by_einsum(q, k, v)) as changed:
        assert (changed(z_t, 500, c).sample - before).abs().max() > 1e-3
    with pytest.raises(KeyError), attending(unet, mine):
        raise KeyError
    assert unet.attn_processors == processors and torch.equal(unet(z_t, 500, c).sample, before)


# ---------------------------------------------------------------- the letters and the number


def test_every_position_of_a_deep_unet_has_an_influence():
    unet = tiny.pipeline().unet
    z, c = torch.randn(1, 4, 8, 8).requires_grad_(), torch.randn(1, 5, 32)
    first, whole = unet.conv_in(z)[..., 4, 4].sum(), unet(z, 500, c).sample[..., 4, 4].sum()
    counts = [int((torch.autograd.grad(y, z)[0].abs().sum((0, 1)) > 0).sum()) for y in (first, whole)]
    assert counts == [9, 64] and bank.SEES.right == "D"


def test_the_number_of_weights_grows_with_the_square_of_the_positions():
    def weights(edge):
        q = torch.zeros(1, (edge // 64) ** 2, 2)
        return (q @ q.transpose(-2, -1)).numel()

    assert weights(1024) / weights(512) == bank.LARGER_IMAGE.right
    assert (512 * 512) ** 2 / (64 * 64) ** 2 == 4096, "as the praise says"


def test_a_later_token_changes_no_earlier_one():
    q, k, v = tokens()[0]
    mine = EXERCISES["causal_attention"].reference
    other = k.clone(), v.clone()
    for x in other:
        x[..., 3:, :] += 1
    assert torch.equal(mine(q, k, v)[..., :3, :], mine(q, *other)[..., :3, :])
    assert not torch.allclose(mine(q, k, v)[..., 3:, :], mine(q, *other)[..., 3:, :])


@torch.no_grad()
def test_the_vector_of_blue_changes_the_output_less_than_those_of_the_end():
    pipe = models.load("base", "cpu")
    blue, red = (steps.embed(pipe, f"a cat face on a {colour} background") for colour in ("blue", "red"))
    word, end = blue.clone(), blue.clone()
    word[:, 6], end[:, 8:] = red[:, 6], red[:, 8:]
    z = steps.initial_noise(pipe, [0]).expand(4, -1, -1, -1)
    as_it_is, by_word, by_end, all_red = pipe.unet(z, 799, torch.cat([blue, word, end, red])).sample
    assert 10 * (by_word - as_it_is).norm() < (by_end - as_it_is).norm()
    assert (by_end - all_red).norm() < 0.2 * (as_it_is - all_red).norm() and bank.WORDS_SWAPPED.right == "A"


def test_a_ratio_may_be_a_tensor():
    assert verdict("larger_image", 16.0).right and verdict("larger_image", torch.tensor(16)).right
    assert "times" in verdict("larger_image", 64).words
