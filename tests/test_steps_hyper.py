"""Hypernetworks against the library's attention, and in a whole pipeline."""

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from test_steps_attend import built, random
from tiny import pipeline, twin, vanilla
from torch import nn
from torch.testing import assert_close

from edu_diffusion import steps

SIZES = pytest.mark.parametrize("B, M, seed", [(1, 5, 0), (3, 16, 1)])


def networks(width=10, seed=0, dtype=torch.float64):
    """{width: (for the keys, for the values)} with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return {width: tuple(nn.Sequential(nn.Linear(width, 7), nn.Tanh(), nn.Linear(7, width)).to(dtype) for _ in range(2))}


class Before(nn.Module):
    """A linear layer of the library with a network in front of it."""

    def __init__(self, network, layer):
        super().__init__()
        self.network, self.layer = network, layer

    def forward(self, x):
        return self.layer(x + 0.7 * self.network(x))


@twin("hyper")
@SIZES
def test_hyper(B, M, seed):
    (network, _), x = networks(seed=seed)[10], random(B, M, 10, seed=seed)
    assert_close(steps.hyper(network, x, 0.5), x + 0.5 * network(x))
    assert torch.equal(steps.hyper(network, x, 0), x)


@twin("hyper_attend")
@SIZES
@pytest.mark.parametrize("heads", [1, 4])
def test_hyper_attend(B, M, seed, heads):
    attn = built(Attention, 24, 10, heads=heads, dim_head=6, processor=AttnProcessor2_0(), seed=seed)
    x, c, nets = random(B, 9, 24, seed=seed), random(B, M, 10, seed=9), networks(seed=seed)
    ours, plain = steps.hyper_attend(attn, x, c, nets, 0.7), attn(x, c)
    attn.to_k, attn.to_v = (Before(net, layer) for net, layer in zip(nets[10], (attn.to_k, attn.to_v)))
    assert_close(ours, attn(x, c))
    assert not torch.allclose(ours, plain)


def test_other_widths_are_left_alone():
    attn, x = built(Attention, 24, 10, heads=2, dim_head=6), random(1, 9, 24)
    c = random(1, 5, 10)
    assert_close(steps.hyper_attend(attn, x, c, networks(12)), attn(x, c))


@twin("with_hypernetwork")
def test_hypernetwork():
    """In the readable loop and in the library's pipeline; strength 0, and afterwards, it is the base bit for bit."""
    pipe, nets = pipeline(), networks(32, dtype=torch.float32)
    processors = dict(pipe.unet.attn_processors)
    base = vanilla(pipe, "a red cat", num_inference_steps=2)
    with steps.with_hypernetwork(pipe.unet, nets, 0):
        assert torch.equal(vanilla(pipe, "a red cat", num_inference_steps=2), base)
    with steps.with_hypernetwork(pipe.unet, nets, 2.0) as unet:
        changed = vanilla(pipe, "a red cat", num_inference_steps=2, guidance_scale=steps.GUIDANCE)
        kinds = {name for name, p in unet.attn_processors.items() if isinstance(p, steps.HyperProcessor)}
        *_, last = steps.generate(pipe, "a red cat", steps=2)
    assert dict(pipe.unet.attn_processors) == processors
    assert kinds == {name for name in processors if ".attn2." in name}
    assert_close(last.z_s, changed, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(changed, vanilla(pipe, "a red cat", num_inference_steps=2, guidance_scale=steps.GUIDANCE))
    assert torch.equal(vanilla(pipe, "a red cat", num_inference_steps=2), base)


def test_what_it_does_not_cover():
    pipe = pipeline()
    pipe.unet.mid_block.attentions[0].transformer_blocks[0].attn2.rescale_output_factor = 2.0
    with pytest.raises(ValueError, match="rescale_output_factor"), steps.with_hypernetwork(pipe.unet, networks(32)):
        pass
