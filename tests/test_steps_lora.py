"""The readable LoRA against peft's layers and the library's fusing."""

import pytest
import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Conv2d, Linear
from tiny import pipeline, twin
from torch.testing import assert_close

from edu_diffusion import steps

RANKS = pytest.mark.parametrize("rank, alpha, seed", [(1, 1, 0), (4, 4, 1), (8, 2.0, 2)])
CONFIG = {"init_lora_weights": "gaussian"}


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def layer(rank, alpha, conv=False, seed=0):
    """A layer of peft with one adapter that is not zero, and its thin matrices."""
    base = torch.nn.Conv2d(6, 10, 3, padding=1) if conv else torch.nn.Linear(6, 10)
    config = LoraConfig(r=rank, lora_alpha=alpha, **CONFIG)
    made = (Conv2d if conv else Linear)(base, "a", config=config, r=rank, lora_alpha=alpha, **CONFIG)
    A, B = made.lora_A["a"].weight, made.lora_B["a"].weight
    B.data = random(*B.shape, seed=seed)
    return made.requires_grad_(False), A.detach(), B.detach()


@twin("lora_init")
@RANKS
@pytest.mark.parametrize("conv", [False, True])
def test_lora_init(rank, alpha, seed, conv):
    made, _, _ = layer(rank, alpha, conv)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made.reset_lora_parameters("a", "gaussian")
    A, B = steps.lora_init(made.base_layer.weight, rank, torch.Generator().manual_seed(seed))
    assert_close(A, made.lora_A["a"].weight.data)
    assert_close(B, made.lora_B["a"].weight.data)
    assert not steps.lora_delta(A, B, alpha).any()


def test_a_rank_below_one():
    with pytest.raises(ValueError, match="rank is 0; it must be at least 1"):
        steps.lora_init(torch.zeros(3, 3), 0)


@twin("lora_delta")
@RANKS
@pytest.mark.parametrize("conv", [False, True])
def test_lora_delta(rank, alpha, seed, conv):
    made, A, B = layer(rank, alpha, conv, seed)
    delta = steps.lora_delta(A, B, alpha)
    assert_close(delta, made.get_delta_weight("a"))
    assert torch.linalg.matrix_rank(delta.flatten(1)) == min(rank, 6 * (9 if conv else 1))


@twin("lora_linear")
@RANKS
def test_lora_linear(rank, alpha, seed):
    made, A, B = layer(rank, alpha, seed=seed)
    x = random(3, 5, 6, seed=seed)
    assert_close(steps.lora_linear(made.base_layer, x, (A, B, alpha, 1.0)), made(x))
    made.set_scale("a", 0.25)
    assert_close(steps.lora_linear(made.base_layer, x, (A, B, alpha, 0.25)), made(x))
    assert torch.equal(steps.lora_linear(made.base_layer, x), made.base_layer(x))


def two_adapters():
    """A pipeline with two adapters of its U-Net whose matrices are not zero."""
    pipe = pipeline()
    for name, rank in (("one", 2), ("two", 3)):
        pipe.unet.add_adapter(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["to_v", "conv1"]), name)
    for seed, (name, p) in enumerate(pipe.unet.named_parameters()):
        if ".lora_" in name:
            p.data = random(*p.shape, seed=seed) / 10
    return pipe


@twin("lora_merge")
@pytest.mark.filterwarnings("ignore:Already found a `peft_config`")
def test_lora_merge():
    pipe = two_adapters()
    parts = {name: part for name, part in pipe.unet.named_modules() if hasattr(part, "lora_A")}
    merged = {
        name: steps.lora_merge(
            part.base_layer.weight.detach().clone(),
            *((part.lora_A[n].weight, part.lora_B[n].weight, 2 * part.r[n], w) for n, w in (("one", 0.5), ("two", 1.5))),
        )
        for name, part in parts.items()
    }
    pipe.set_adapters(["one", "two"], [0.5, 1.5])
    pipe.fuse_lora(components=["unet"])
    assert {part.weight.ndim for part in parts.values()} == {2, 4}  # linear layers, and convolutions
    for name, part in parts.items():
        assert_close(merged[name], part.base_layer.weight)


def test_beside_equals_merged():
    made, A, B = layer(4, 2)
    x, adapters = random(7, 6), [(A, B, 2, 0.7), (A + 1, B - 1, 8, -1.0)]
    merged = torch.nn.Linear(6, 10)
    merged.weight.data = steps.lora_merge(made.base_layer.weight, *adapters)
    merged.bias = made.base_layer.bias
    assert_close(steps.lora_linear(made.base_layer, x, *adapters), merged(x), rtol=1e-4, atol=1e-4)
