"""The readable ControlNet against the library's, alone and in the whole loop; at first it changes nothing."""

import pytest
import tiny
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, UNet2DConditionModel
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import models, steps
from edu_diffusion.steps import Control

PROMPT = "a red cat"
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
THREE = {
    "sample_size": 8,
    "block_out_channels": (16, 32, 32),
    "norm_num_groups": 8,
    "cross_attention_dim": 24,
    "attention_head_dim": 4,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "layers_per_block": 1,
}
TWO = {
    **THREE,
    "block_out_channels": (16, 48),
    "down_block_types": THREE["down_block_types"][:2],
    "up_block_types": THREE["up_block_types"][1:],
}


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def conditions(B=1, seed=0, edge=32):
    return torch.rand(B, 3, edge, edge, generator=torch.Generator().manual_seed(seed))


def trained(unet, seed=0, size=0.1):
    """A ControlNet whose zero convolutions have moved."""
    net = models.build_controlnet(unet).eval()
    with torch.no_grad():
        for i, (name, p) in enumerate(net.named_parameters()):
            if "controlnet_" in name:
                p.add_(size * random(*p.shape, seed=seed * 1000 + i))
    return net


@pytest.fixture(scope="module")
def pipe():
    return tiny.pipeline()


@pytest.fixture(scope="module")
def net(pipe):
    return trained(pipe.unet)


def vanilla(pipe, net, condition, seeds=(0,), prompt=PROMPT, **settings):
    """What the library's own ControlNet pipeline makes of the prompt: latents."""
    library = StableDiffusionControlNetPipeline(**pipe.components, controlnet=net)
    library.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return library(prompt, condition, generator=generators, output_type="latent", **settings).images


def last(pipe, *args, prompt=PROMPT, **settings):
    return list(steps.generate(pipe, prompt, **settings))[-1].z_s


@twin("zero_conv")
@pytest.mark.parametrize("channels, out", [(8, 8), (8, 16), (3, 1)])
@pytest.mark.parametrize("B, size", [(1, (4, 4)), (3, (2, 5))])
def test_zero_conv(channels, out, B, size):
    h, weight, bias = random(B, channels, *size), random(out, channels, 1, 1, seed=1), random(out, seed=2)
    assert_close(steps.zero_conv(h, weight, bias), torch.nn.functional.conv2d(h, weight, bias))
    assert not steps.zero_conv(h, 0 * weight, 0 * bias).any()


@twin("condition_embedding")
@pytest.mark.parametrize("widths", [(16, 32, 64), (8, 16)])
def test_condition_embedding(widths):
    embedding = ControlNetConditioningEmbedding(24, 3, widths)
    torch.nn.init.normal_(embedding.conv_out.weight)
    assert_close(steps.condition_embedding(embedding, conditions(2)), embedding(conditions(2)))


@twin("control_forward")
@pytest.mark.parametrize("shape", [TWO, THREE], ids=["two levels", "three levels"])
@pytest.mark.parametrize("t", [7, torch.tensor([999, 3])])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_control_forward(shape, t, scale):
    net = trained(UNet2DConditionModel(**shape).eval())
    z_t, c, condition = random(2, 4, 8, 8), random(2, 5, 24, seed=1), conditions(2)
    with torch.no_grad():
        residuals, mid = steps.control_forward(net, z_t, t, c, condition, scale)
        want = net(z_t, t, c, condition, scale)
    assert_close([*residuals, mid], [*want.down_block_res_samples, want.mid_block_res_sample])
    assert all(r.abs().max() > 1e-3 for r in residuals)


@twin("control_edit")
@pytest.mark.parametrize("shape", [TWO, THREE], ids=["two levels", "three levels"])
def test_control_edit(shape):
    unet = UNet2DConditionModel(**shape).eval()
    z_t, c = random(2, 4, 8, 8), random(2, 5, 24, seed=1)
    with torch.no_grad():
        residuals, mid = steps.control_forward(trained(unet), z_t, 500, c, conditions(2))
        mine = steps.unet_forward(unet, z_t, 500, c, edit=steps.control_edit(residuals, mid))
        want = unet(z_t, 500, c, down_block_additional_residuals=residuals, mid_block_additional_residual=mid).sample
        assert_close(mine, want)
        assert (want - unet(z_t, 500, c).sample).abs().max() > 1e-3


@pytest.mark.parametrize("shape", [TWO, THREE], ids=["two levels", "three levels"])
def test_a_fresh_controlnet_is_a_copy_and_adds_nothing(shape):
    unet = UNet2DConditionModel(**shape).eval()
    net = models.build_controlnet(unet)
    copied, own = net.state_dict(), unet.state_dict()
    shared = [name for name in copied if name in own]
    assert len(shared) > 20 and all(torch.equal(copied[name], own[name]) for name in shared)
    with torch.no_grad():
        residuals, mid = steps.control_forward(net, random(1, 4, 8, 8), 9, random(1, 5, 24), conditions())
    assert not any(r.any() for r in [*residuals, mid])
    assert [r.shape[1] for r in residuals] == [conv.out_channels for conv in net.controlnet_down_blocks]


@pytest.mark.parametrize("g", [1.0, 4.0])
def test_at_the_start_the_loop_is_bit_identical(pipe, g):
    fresh = models.build_controlnet(pipe.unet)
    without = last(pipe, steps=3, guidance=g)
    assert torch.equal(last(pipe, steps=3, guidance=g, control=Control(fresh, conditions())), without)


@pytest.mark.parametrize(
    "weight, start, end", [(1.0, 0.0, 1.0), (0.5, 0.0, 1.0), (1.0, 0.2, 1.0), (1.3, 0.0, 0.55), (1.0, 0.4, 0.6)]
)
@pytest.mark.parametrize("g", [1.0, 4.0])
def test_the_loop_is_the_librarys(pipe, net, weight, start, end, g):
    settings = {
        "num_inference_steps": 7,
        "guidance_scale": g,
        "controlnet_conditioning_scale": weight,
        "control_guidance_start": start,
        "control_guidance_end": end,
    }
    want = vanilla(pipe, net, conditions(), [3], **settings)
    control = Control(net, conditions(), weight, start, end)
    assert_close(last(pipe, seed=3, steps=7, guidance=g, control=control), want, rtol=1e-4, atol=1e-4)
    assert (want - last(pipe, seed=3, steps=7, guidance=g)).abs().max() > 1e-3


def test_a_condition_for_each_picture(pipe, net):
    prompts = ["a red cat", "a dog"]
    got = last(pipe, prompt=prompts, seed=5, steps=3, control=Control(net, conditions(2)))
    want = vanilla(pipe, net, conditions(2), [5, 6], prompts, num_inference_steps=3, guidance_scale=steps.GUIDANCE)
    assert_close(got, want, rtol=1e-4, atol=1e-4)
    alone = last(pipe, prompt="a dog", seed=6, steps=3, control=Control(net, conditions(2)[1:]))
    assert_close(got[1:], alone, rtol=1e-4, atol=1e-4)
    shared = last(pipe, prompt=prompts, seed=5, steps=3, control=Control(net, conditions(2)[:1]))
    assert_close(shared[:1], got[:1], rtol=1e-4, atol=1e-4)


def test_two_controls_are_added_up(pipe, net):
    other, two = trained(pipe.unet, seed=1), [conditions(), conditions(seed=4)]
    got = last(pipe, steps=4, control=[Control(net, two[0], 0.7), Control(other, two[1], 1.1)])
    want = vanilla(
        pipe, [net, other], two, num_inference_steps=4, guidance_scale=steps.GUIDANCE, controlnet_conditioning_scale=[0.7, 1.1]
    )
    assert_close(got, want, rtol=1e-4, atol=1e-4)


def test_no_weight_and_no_steps_are_no_control(pipe, net):
    without = last(pipe, steps=3)
    assert_close(last(pipe, steps=3, control=Control(net, conditions(), 0.0)), without)
    assert torch.equal(last(pipe, steps=3, control=Control(net, conditions(), 1.0, 0.4, 0.5)), without)


def test_your_own_function_in_its_place(pipe, net):
    seen = []

    def mine(z_t, t, c, condition, scale):
        seen.append((len(z_t), len(c), tuple(condition.shape), scale))
        return steps.control_forward(net, z_t, t, c, condition, scale, zero_conv=steps.zero_conv)

    got = last(pipe, steps=3, control=Control(mine, conditions(), 0.8))
    assert_close(got, last(pipe, steps=3, control=Control(net, conditions(), 0.8)), rtol=1e-4, atol=1e-4)
    assert seen == [(2, 2, (2, 3, 32, 32), 0.8)] * 3


def test_a_step_that_asks_twice_is_steered_twice(pipe, net):
    calls = []
    counted = lambda *given: calls.append(given[1]) or net(*given)  # noqa: E731
    last(pipe, steps=3, step=steps.heun_step, control=Control(counted, conditions()))
    assert len(calls) == 5  # twice at every step but the last


def test_training_mode_is_left_as_it_was(pipe):
    net = trained(pipe.unet).train()
    a, b = (last(pipe, steps=2, control=Control(net, conditions())) for _ in range(2))
    assert torch.equal(a, b) and net.training and not pipe.unet.training


@pytest.mark.parametrize(
    "control, message",
    [
        (lambda net: net, "control is ControlNetModel; it must be a Control"),
        (lambda net: [net], "control is ControlNetModel; it must be a Control"),
        (lambda net: Control(net, conditions()[0]), r"condition is \(3, 32, 32\); it must be a tensor \(1, 3, H, W\)"),
        (lambda net: Control(net, conditions(3)), "one map for each of the 1 pictures"),
        (lambda net: Control(net, conditions() * 2 - 1), r"must be within \[0, 1\]"),
        (lambda net: Control(net, conditions(edge=64)), r"\[64, 64\] pixels; for this latent it must have \[32, 32\]"),
        (lambda net: Control(net, conditions(), float("nan")), "weight is nan"),
        (lambda net: Control(net, conditions(), 1.0, 0.5, 0.5), "0 <= start < end <= 1"),
        (lambda net: Control(trained(UNet2DConditionModel(**TWO)), conditions()), "block_out_channels = .* another model"),
        (lambda net: Control(torch.nn.Linear(1, 1), conditions()), "does not support Linear"),
    ],
)
def test_mistakes_are_sentences(pipe, net, control, message):
    with pytest.raises(ValueError, match=message):
        last(pipe, steps=2, control=control(net))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"controlnet_conditioning_channel_order": "bgr"}, "channel_order = 'bgr'"),
        ({"global_pool_conditions": True}, "global_pool_conditions = True"),
    ],
)
def test_other_controlnets_are_refused(changes, message):
    settings = {name: value for name, value in TWO.items() if name not in ("sample_size", "up_block_types")}
    net = ControlNetModel(**settings, conditioning_embedding_out_channels=(16, 32, 64), **changes)
    with pytest.raises(ValueError, match=message):
        steps.control_forward(net, random(1, 4, 8, 8), 9, random(1, 5, 24), conditions())
