"""Merging checkpoints: the readable rules against torch's and peft's, and the U-Nets of pipelines."""

import pytest
import tiny
import torch
from peft import LoraConfig
from peft.utils.merge_utils import task_arithmetic
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import models, steps
from edu_diffusion.errors import EduError


def state(seed, dtype=torch.float32):
    rng = torch.Generator().manual_seed(seed)
    return {
        "matrix": torch.randn(5, 3, generator=rng).to(dtype),
        "kernel": torch.randn(2, 3, 3, 3, generator=rng).to(dtype),
        "number": torch.randn((), generator=rng).to(dtype),
        "positions": torch.arange(4) + seed,
    }


FLOATS = ("matrix", "kernel", "number")


@twin("weighted_sum")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 1.0, 1.5, -0.5])
@pytest.mark.parametrize("seed", range(2))
def test_weighted_sum(weight, seed, dtype):
    a, b = state(seed, dtype), state(seed + 10, dtype)
    merged = steps.weighted_sum(a, b, weight)
    loose = {"atol": 0.05, "rtol": 0.05} if dtype == torch.bfloat16 else {}
    for name in FLOATS:
        assert_close(merged[name], torch.lerp(a[name], b[name], weight), **loose)
    assert merged.keys() == a.keys() and torch.equal(merged["positions"], a["positions"])


@twin("add_difference")
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(2))
def test_add_difference(weight, seed):
    a, b, c = state(seed), state(seed + 10), state(seed + 20)
    merged = steps.add_difference(a, b, c, weight)
    for name in FLOATS:
        assert_close(merged[name], a[name] + task_arithmetic([b[name] - c[name]], torch.tensor([weight])))
        assert_close(merged[name], torch.add(a[name], b[name] - c[name], alpha=weight))
    assert merged.keys() == a.keys() and torch.equal(merged["positions"], a["positions"])


def test_the_ends_are_the_parents_to_the_last_bit_and_they_stay_unchanged():
    a, b, c = state(0), state(1), state(2)
    for merged, end in [
        (steps.weighted_sum(a, b, 0), a),
        (steps.weighted_sum(a, b, 1), {**b, "positions": a["positions"]}),
        (steps.add_difference(a, b, c, 0), a),
        (steps.add_difference(a, b, b, 3), a),
    ]:
        assert all(torch.equal(merged[name], end[name]) for name in a)
    for one, seed in ((a, 0), (b, 1), (c, 2)):
        assert all(torch.equal(one[name], value) for name, value in state(seed).items())


@pytest.mark.fault("silent")
@pytest.mark.parametrize("merge", [lambda a, b: steps.weighted_sum(a, b), lambda a, b: steps.add_difference(a, a, b)])
def test_checkpoints_of_two_kinds_are_refused(merge):
    a, b = state(0), state(1)
    with pytest.raises(ValueError, match=r"Only one of the two checkpoints has more \(1 such tensors\)"):
        merge(a, {**b, "more": torch.zeros(1)})
    with pytest.raises(ValueError, match="Only one of the two"):
        merge(a, {"matrix": b["matrix"]})
    with pytest.raises(ValueError, match=r"matrix is \(5, 3\) in one checkpoint and \(3,\) in the other"):
        merge(a, {**b, "matrix": torch.zeros(3)})  # which would broadcast without a word


# ---------------------------------------------------------------- pipelines


@pytest.fixture(scope="module")
def pair():
    return tiny.pipeline(seed=0), tiny.pipeline(seed=1)


def picture(pipe):
    return tiny.vanilla(pipe, "a cat", num_inference_steps=2)


def test_the_u_nets_of_two_pipelines(pair):
    a, b = pair
    before = [picture(pipe) for pipe in pair]
    half = models.merged(steps.weighted_sum, a, b, weight=0.25)
    for (name, value), one, other in zip(half.unet.state_dict().items(), *(p.unet.state_dict().values() for p in pair)):
        assert_close(value, 0.75 * one + 0.25 * other)
    assert half.vae is a.vae and half.text_encoder is a.text_encoder and half.unet is not a.unet
    assert torch.equal(picture(models.merged(steps.weighted_sum, a, b, weight=0.0)), before[0])
    assert not torch.equal(picture(half), before[0])
    assert all(torch.equal(picture(pipe), image) for pipe, image in zip(pair, before))


def test_the_difference_of_a_lora_is_the_lora(pair):
    """base + (base with a LoRA fused - base) is the base with the LoRA."""
    base, tuned = pair[0], tiny.pipeline(seed=0)
    tuned.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    with pytest.raises(EduError, match="has an adapter in it, which must be fused or unloaded first"):
        models.merged(steps.weighted_sum, base, tuned)
    tuned.fuse_lora()
    tuned.unload_lora_weights()
    again = models.merged(steps.add_difference, base, tuned, base, weight=1.0)
    assert_close(picture(again), picture(tuned), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(picture(again), picture(base), atol=1e-3)


def test_a_half_precision_parent_keeps_its_precision(pair):
    half = tiny.pipeline(torch.float16)
    merged = models.merged(steps.weighted_sum, half, pair[1], weight=0.5)
    assert {p.dtype for p in merged.unet.parameters()} == {torch.float16}


def ignores(a, b):
    return {**a, "more": torch.zeros(1)}


def infinite(a, b):
    return {name: value / 0 for name, value in a.items()}


@pytest.mark.fault("silent")
@pytest.mark.parametrize(
    "rule, words",
    [
        (ignores, "What the rule returned does not match its configuration: it also has more"),
        (lambda a, b: {}, "What the rule returned does not match its configuration: it lacks"),
        (lambda a, b: None, "The rule returned a NoneType; it must return a dict of tensors"),
        (lambda a: a, "cannot merge 2 U-Nets"),
        (infinite, "numbers that are not finite"),
        (steps.add_difference, "cannot merge 2 U-Nets"),
    ],
)
def test_a_rule_that_is_none_is_refused(pair, rule, words):
    with pytest.raises(EduError, match=words):
        models.merged(rule, *pair)


@pytest.mark.fault("silent")
def test_pipelines_that_cannot_be_merged_are_refused(pair):
    with pytest.raises(EduError, match="Merging takes at least two pipelines, not 1"):
        models.merged(steps.weighted_sum, pair[0])
    with pytest.raises(EduError, match="A pipeline to merge does not match") as caught:
        models.merged(steps.weighted_sum, pair[0], tiny.sd15())
    assert "\n" not in str(caught.value)
    other = tiny.pipeline(prediction_type="epsilon")
    with pytest.raises(EduError, match="One U-Net predicts v_prediction and the other epsilon"):
        models.merged(steps.weighted_sum, pair[0], other)
