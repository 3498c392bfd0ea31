"""Lesson 06's exercises: other ways to the right numbers are right, and the real U-Net runs on them."""

import re

import pytest
import tiny
import torch
import torch.nn.functional as F
from diffusers.models.embeddings import get_timestep_embedding
from torch.testing import assert_close

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises.unet import attending, looks, times


def by_power(t, width):
    f = 10000 ** (-torch.arange(width // 2) / (width / 2))
    angles = torch.outer(t.float(), f)
    return torch.hstack([angles.cos(), angles.sin()])


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
    ],
)
def test_another_way_to_the_same_numbers_is_right(name, mine):
    assert verdict(name, mine).right


@pytest.mark.parametrize(
    "name, mine, words",
    [
        ("timestep_embedding", lambda t, width: by_power(t, width).T, r"shape \(8, 3\); it must be \(3, 8\)"),
        ("timestep_embedding", lambda t, width: by_power(t, width) / 0, "NaN or infinite"),
        ("timestep_embedding", lambda t, width: by_power(t, width) * 2, "always 2 times"),
        ("attention", lambda q, k, v: q @ k @ v, "stopped with RuntimeError"),
        ("attention", lambda q, k, v: q.mul_(0), "changes what it is given"),
        ("attention", lambda q, k, v: F.dropout(by_einsum(q, k, v)), "a different result each time"),
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
