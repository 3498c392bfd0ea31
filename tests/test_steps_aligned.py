"""StyleAligned: AdaIN against the library's normalisation, shared attention against its attention and pipeline."""

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from test_steps_attend import built, random
from tiny import pipeline, twin, vanilla
from torch.testing import assert_close

from edu_diffusion import steps

PROMPTS = ["a red cat", "a dog", "a red dog"]


@twin("adain")
@pytest.mark.parametrize("B, N, M, seed", [(1, 4, 4, 0), (3, 16, 9, 1)])
def test_adain(B, N, M, seed):
    x, reference = random(B, N, 6, seed=seed), 2 + 3 * random(B, M, 6, seed=7)
    plain = F.instance_norm(x.transpose(1, 2)).transpose(1, 2)
    spread = (reference.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    got = steps.adain(x, reference)
    assert_close(got, plain * spread + reference.mean(1, keepdim=True))
    assert_close(got.mean(1), reference.mean(1))


@twin("aligned_attend")
@pytest.mark.parametrize("groups, pictures, heads, seed", [(1, 3, 1, 0), (2, 4, 4, 1)])
def test_aligned_attend(groups, pictures, heads, seed):
    """For pictures that are all alike it is the library's attention; for others, the library's on shared keys."""
    attn = built(Attention, 24, heads=heads, dim_head=6, processor=AttnProcessor2_0(), seed=seed)
    one = random(groups, 9, 24, seed=seed)
    alike = one.repeat_interleave(pictures, 0)
    assert_close(steps.aligned_attend(attn, alike, pictures), attn(alike))
    x = random(groups * pictures, 9, 24, seed=seed + 5)
    got = steps.aligned_attend(attn, x, pictures)
    assert_close(got[::pictures], attn(x)[::pictures])
    last, lead = x[-1:], x[-pictures : -pictures + 1]
    q, k = (steps.adain(layer(last), layer(lead)) for layer in (attn.to_q, attn.to_k))
    k, v = torch.cat([attn.to_k(lead), k], 1), torch.cat([attn.to_v(lead), attn.to_v(last)], 1)
    q, k, v = (y.unflatten(2, (heads, -1)).transpose(1, 2) for y in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    assert_close(got[-1:], attn.to_out[0](mixed))
    assert not torch.allclose(got[-1:], attn(x)[-1:])


def test_a_weight_of_3_is_the_first_picture_three_times():
    attn = built(Attention, 24, heads=2, dim_head=6, processor=AttnProcessor2_0(), seed=1)
    x = random(3, 9, 24, seed=5)
    q, k = (steps.adain(layer(x[2:]), layer(x[:1])) for layer in (attn.to_q, attn.to_k))
    k, v = torch.cat([attn.to_k(x[:1])] * 3 + [k], 1), torch.cat([attn.to_v(x[:1])] * 3 + [attn.to_v(x[2:])], 1)
    q, k, v = (y.unflatten(2, (2, -1)).transpose(1, 2) for y in (q, k, v))
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    assert_close(steps.aligned_attend(attn, x, 3, weight=3.0)[2:], attn.to_out[0](mixed))


def test_the_weight_reaches_the_loop_and_leaves_the_first_picture_alone():
    pipe, drawn = pipeline(), {}
    for weight in (1.0, 8.0):
        with steps.aligned(pipe.unet, 3, weight=weight):
            *_, last = steps.generate(pipe, PROMPTS, steps=2)
        drawn[weight] = last.z_s
    assert torch.equal(drawn[1.0][0], drawn[8.0][0]) and not torch.allclose(drawn[1.0][1:], drawn[8.0][1:], atol=1e-4)


@pytest.mark.parametrize("weight", [0, -1.0])
def test_a_weight_that_is_none(weight):
    with pytest.raises(ValueError, match="weight is .*; it must be above 0"), steps.aligned(pipeline().unet, 3, weight=weight):
        pass


def test_half_a_group():
    with pytest.raises(ValueError, match="The batch has 4 rows, but 3 pictures were announced"):
        steps.aligned_attend(built(Attention, 24, heads=2, dim_head=6), random(4, 9, 24), 3)


@twin("aligned")
@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_aligned(guidance):
    """In the library's pipeline and in the readable loop: the first picture is the same bit for bit, others are not."""
    pipe, settings = pipeline(), {"num_inference_steps": 3, "guidance_scale": guidance}
    processors, seeds = dict(pipe.unet.attn_processors), range(3)
    alone = vanilla(pipe, PROMPTS, seeds, **settings)
    with steps.aligned(pipe.unet, 3):
        together = vanilla(pipe, PROMPTS, seeds, **settings)
        *_, last = steps.generate(pipe, PROMPTS, steps=3, guidance=guidance)
    assert torch.equal(together[0], alone[0])
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in zip(together[1:], alone[1:]))
    assert_close(last.z_s, together, rtol=1e-3, atol=1e-3)
    assert dict(pipe.unet.attn_processors) == processors
    assert torch.equal(vanilla(pipe, PROMPTS, seeds, **settings), alone)


def test_a_learners_own_normalisation_runs_in_the_loop():
    pipe, calls = pipeline(), []

    def mine(x, reference):
        calls.append(x.shape)
        return steps.adain(x, reference)

    with steps.aligned(pipe.unet, 3):
        *_, ours = steps.generate(pipe, PROMPTS, steps=2)
    with steps.aligned(pipe.unet, 3, mine):
        *_, theirs = steps.generate(pipe, PROMPTS, steps=2)
    assert torch.equal(ours.z_s, theirs.z_s) and calls


def test_both_at_once_and_only_where_they_belong():
    pipe = pipeline()
    with steps.aligned(pipe.unet, 3) as unet, steps.with_hypernetwork(unet, {}):
        kinds = {name: type(p) for name, p in unet.attn_processors.items()}
    assert kinds == {name: steps.HyperProcessor if ".attn2." in name else steps.AlignedProcessor for name in kinds}
