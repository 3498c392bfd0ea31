"""The readable loop against the library's pipeline, on a tiny one with random weights."""

import itertools

import numpy as np
import pytest
import tiny
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    HeunDiscreteScheduler,
    PNDMScheduler,
)
from diffusers.configuration_utils import FrozenDict
from diffusers.image_processor import VaeImageProcessor
from tiny import twin, vanilla
from torch.testing import assert_close

from edu_diffusion import steps

PROMPT = "a red cat"
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def last(pipe, *args, **settings):
    return list(steps.generate(pipe, *args, **settings))[-1].z_s


@twin("generate")
@pytest.mark.parametrize("count", [1, 4, 20, 30])  # 1000 / 30 is not whole
@pytest.mark.parametrize("g", [1.0, 4.0, 7.5])
def test_generate(pipe, count, g):
    settings = {"num_inference_steps": count, "guidance_scale": g, "negative_prompt": "a dog"}
    got = list(steps.generate(pipe, PROMPT, negative="a dog", seed=3, steps=count, guidance=g))[-1].z_s
    assert_close(got, vanilla(pipe, PROMPT, [3], **settings))
    picture = steps.to_uint8(steps.decode(pipe, got))[0].numpy()
    assert np.array_equal(picture, vanilla(pipe, PROMPT, [3], "pil", **settings)[0])


@twin("draw")
@twin("final")
@pytest.mark.parametrize("batch", [None, 1, 2])
def test_draw_in_batches_of_any_size(pipe, batch):
    prompts, seeds = [PROMPT, "a dog", "a cat"], [5, 6, 7]
    want = vanilla(pipe, prompts, seeds, "pt", num_inference_steps=2, guidance_scale=2.0)
    assert_close(steps.draw(pipe, prompts, seed=5, batch=batch, steps=2, guidance=2.0) / 2 + 0.5, want)
    assert_close(steps.final(pipe, steps.generate(pipe, prompts, seed=5, steps=2, guidance=2.0)) / 2 + 0.5, want)
    with pytest.raises(ValueError, match="prompt"):
        steps.draw(pipe, [])


@pytest.mark.parametrize("batch", [0, -1, 1.5, 10**9])
def test_a_wrong_batch_size_is_a_sentence(pipe, batch):
    with pytest.raises(ValueError, match="batch is .*; it must be a whole number from 1 to 10000"):
        steps.draw(pipe, PROMPT, steps=1, batch=batch)


def test_a_picture_of_nans_is_refused_and_not_saved_as_black():
    pipe = tiny.pipeline()
    with torch.no_grad():
        pipe.vae.decoder.conv_out.bias.fill_(torch.inf)
    with pytest.raises(ValueError, match="The decoder of the VAE gave NaN or infinite numbers, so there is no picture"):
        steps.draw(pipe, PROMPT, steps=1)


def test_no_signal_at_all_is_named_as_the_cause(pipe):
    pipe.scheduler = tiny.scheduler(rescale_betas_zero_snr=True, prediction_type="epsilon", timestep_spacing="trailing")
    with pytest.raises(ValueError, match=r"t = 999.*abar is 0 there .zero terminal SNR.*a model that predicts v"):
        list(steps.generate(pipe, PROMPT, steps=3))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("spacing", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("to_one", [True, False])
def test_every_kind_of_scheduler(pipe, kind, spacing, to_one):
    pipe.scheduler = tiny.scheduler(prediction_type=kind, timestep_spacing=spacing, set_alpha_to_one=to_one)
    want = vanilla(pipe, PROMPT, num_inference_steps=7, guidance_scale=steps.GUIDANCE)
    assert_close(last(pipe, PROMPT, steps=7), want)


def test_levels_down_to_no_signal_at_all(pipe):
    pipe.scheduler = tiny.scheduler(rescale_betas_zero_snr=True)
    want = vanilla(pipe, PROMPT, num_inference_steps=4, guidance_scale=steps.GUIDANCE)
    assert_close(last(pipe, PROMPT, steps=4), want)


def test_another_scheduler_lends_its_configuration(pipe):
    """Stable Diffusion 1.5 comes with a PNDMScheduler; the loop is DDIM all the same."""
    pipe.scheduler = PNDMScheduler.from_config(tiny.scheduler().config, set_alpha_to_one=False)
    got = last(pipe, PROMPT, steps=5)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    assert not pipe.scheduler.config.set_alpha_to_one
    assert_close(got, vanilla(pipe, PROMPT, num_inference_steps=5, guidance_scale=steps.GUIDANCE))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes(dtype):
    pipe = tiny.pipeline(dtype)
    got = last(pipe, PROMPT, steps=4)
    assert got.dtype == dtype
    assert_close(got, vanilla(pipe, PROMPT, num_inference_steps=4, guidance_scale=steps.GUIDANCE))


def test_batch(pipe):
    prompts, negatives = ["red cat", "blue dog", "a"], ["", "ground", "red"]
    got = last(pipe, prompts, negative=negatives, seed=5, steps=4)
    settings = {"num_inference_steps": 4, "guidance_scale": steps.GUIDANCE}
    want = vanilla(pipe, prompts, [5, 6, 7], negative_prompt=negatives, **settings)
    assert_close(got, want)
    alone = [last(pipe, prompts[i], negative=negatives[i], seed=5 + i, steps=4) for i in range(3)]
    assert_close(got, torch.cat(alone), rtol=0, atol=1e-4)
    one = last(pipe, prompts, negative="red", steps=2)
    assert_close(one, last(pipe, prompts, negative=["red"] * 3, steps=2))


def test_a_batch_as_large_as_the_latent_is_wide(pipe):
    got = last(pipe, ["red cat"] * 8, steps=2)
    assert_close(got[5:6], last(pipe, "red cat", seed=5, steps=2), rtol=0, atol=1e-4)


def test_states_tell_the_whole_story(pipe):
    states = list(steps.generate(pipe, PROMPT, steps=4, guidance=3.0))
    assert [s.i for s in states] == [0, 1, 2, 3]
    assert [(s.t, s.s) for s in states] == [(999, 749), (749, 499), (499, 249), (249, -1)]
    assert_close(states[0].z_t, steps.initial_noise(pipe, [0]))
    for a, b in itertools.pairwise(states):
        assert b.z_t is a.z_s
    for s in states:
        abar_t = pipe.scheduler.alphas_cumprod[s.t]
        assert_close(s.eps, steps.guide(s.eps_u, s.eps_c, 3.0))
        assert_close(steps.q_sample(s.z_0, s.eps, abar_t), s.z_t)
        assert (s.eps_u - s.eps_c).abs().max() > 1e-4
    assert_close(states[-1].z_s, states[-1].z_0)


def calls(pipe, monkeypatch, **settings):
    """The batch sizes with which the U-Net was called."""
    seen, forward = [], pipe.unet.forward
    monkeypatch.setattr(pipe.unet, "forward", lambda z, *a, **k: seen.append(len(z)) or forward(z, *a, **k))
    return seen, list(steps.generate(pipe, PROMPT, steps=3, **settings))


def test_no_guidance_is_one_prediction(pipe, monkeypatch):
    seen, states = calls(pipe, monkeypatch, guidance=1)
    assert seen == [1, 1, 1]
    assert_close(states[0].eps_u, states[0].eps_c, rtol=0, atol=0)


def test_guidance_below_one_follows_the_formula(pipe, monkeypatch):
    """The library would ignore 0.5; here 0 means that only the negative prompt counts."""
    seen, states = calls(pipe, monkeypatch, guidance=0.0, negative="a dog")
    assert seen == [2, 2, 2]
    assert_close(states[-1].z_s, last(pipe, "a dog", guidance=1, steps=3), rtol=0, atol=1e-4)


# With "leading" these four start from the noise itself; with "trailing" the library scales it by
# sqrt(1 - abar_T), 0.998, for Karras's family. DPM++ has other levels with "leading".
SAMPLERS = [
    (steps.euler_step, EulerDiscreteScheduler, "leading"),
    (steps.heun_step, HeunDiscreteScheduler, "leading"),
    (steps.euler_ancestral_step, EulerAncestralDiscreteScheduler, "leading"),
    (steps.ddpm_step, DDPMScheduler, "leading"),
    (steps.ddpm_step, DDPMScheduler, "trailing"),
    (steps.dpmpp_2m_step, DPMSolverMultistepScheduler, "trailing"),
]


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("step, scheduler, spacing", SAMPLERS)
def test_other_samplers(pipe, step, scheduler, spacing, kind):
    """Each is the library's pipeline with that scheduler, noise included; 1000 / 3 is not whole."""
    pipe.scheduler = tiny.scheduler(timestep_spacing=spacing, prediction_type=kind)
    settings = {"negative": "a dog", "seed": 3, "steps": 3, "guidance": 3.0, "step": step}
    got = last(pipe, [PROMPT, "a blue dog"], **settings)
    pipe.scheduler = scheduler.from_config(pipe.scheduler.config)
    assert_close(got, last(pipe, [PROMPT, "a blue dog"], **settings))  # whichever lends its settings
    want = vanilla(pipe, [PROMPT, "a blue dog"], [3, 4], negative_prompt=["a dog"] * 2, guidance_scale=3.0, num_inference_steps=3)
    assert_close(got, want, rtol=1e-3, atol=1e-3)


def test_how_often_heun_asks(pipe, monkeypatch):
    seen, _ = calls(pipe, monkeypatch, step=steps.heun_step)
    assert seen == [2] * 5


def test_guidance_that_stops_on_the_way(pipe):
    """The library's pipeline can do the same by a callback."""

    def stop(pipe, i, t, tensors):
        if i == 1:
            pipe._guidance_scale = 1.0
            return {"prompt_embeds": tensors["prompt_embeds"].chunk(2)[-1]}
        return {}

    want = vanilla(
        pipe,
        PROMPT,
        num_inference_steps=4,
        guidance_scale=steps.GUIDANCE,
        callback_on_step_end=stop,
        callback_on_step_end_tensor_inputs=["prompt_embeds"],
    )
    assert_close(last(pipe, PROMPT, steps=4, interval=(700, 999)), want)


def test_guidance_in_the_middle_only(pipe, monkeypatch):
    seen, states = calls(pipe, monkeypatch, interval=(300, 700))
    assert [s.t for s in states] == [999, 666, 332] and seen == [1, 2, 2]
    seen, states = calls(pipe, monkeypatch, interval=(600, 700), step=steps.heun_step)
    assert seen == [1, 2, 2, 1, 1]
    for s, guided in zip(states, [False, True, False], strict=True):
        assert torch.equal(s.eps_u, s.eps_c) is not guided
        assert_close(s.eps, steps.guide(s.eps_u, s.eps_c, steps.GUIDANCE if guided else 1.0))


def test_own_step(pipe):
    seen = []

    def mine(x_t, eps, abar_t, abar_s):
        seen.append((float(abar_t), float(abar_s)))
        return steps.ddim_step(x_t, eps, abar_t, abar_s)

    assert_close(last(pipe, PROMPT, steps=4, step=mine), last(pipe, PROMPT, steps=4), rtol=0, atol=1e-4)
    abar = pipe.scheduler.alphas_cumprod
    assert seen == [(abar[t].item(), abar[s].item() if s >= 0 else 1.0) for t, s in steps.ddim_timesteps(4)]


def test_own_step_may_not_change_what_was_yielded(pipe):
    states = list(steps.generate(pipe, PROMPT, steps=2, step=lambda x_t, eps, abar_t, abar_s: x_t.mul_(0.5)))
    assert_close(states[0].z_t, steps.initial_noise(pipe, [0]))
    assert_close(states[1].z_s, states[0].z_t / 4)


@pytest.mark.parametrize(
    "result, message",
    [
        (None, r"step returned NoneType; it must return a tensor like its x_t: \(1, 4, 8, 8\), torch.float32"),
        (torch.zeros(1, 4, 8), r"step returned \(1, 4, 8\), torch.float32"),
        (torch.zeros(1, 4, 8, 8).double(), "torch.float64; it must return"),
        (torch.full((1, 4, 8, 8), torch.nan), r"Step 1 \(t = 999\) gave NaN or infinite numbers"),
    ],
)
def test_own_step_with_a_wrong_result(pipe, result, message):
    with pytest.raises(ValueError, match=message):
        next(steps.generate(pipe, PROMPT, step=lambda *_: result))


def test_stops_at_the_first_latent_that_is_not_finite(pipe):
    seen = []
    with pytest.raises(ValueError, match=r"^Step 3 \(t = 599\) gave .*lower the guidance"):
        for state in steps.generate(pipe, PROMPT, steps=5, step=lambda x, *_: x * (torch.inf if len(seen) == 2 else 1)):
            seen.append(state.i)
    assert seen == [0, 1]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"steps": 0}, "steps is 0; it must be a whole number from 1 to 1000"),
        ({"steps": 1001}, "steps is 1001"),
        ({"steps": 2.5}, "steps is 2.5"),
        ({"guidance": float("nan")}, "guidance is nan; it must be a finite number"),
        ({"guidance": float("inf")}, "guidance is inf"),
        ({"guidance": "4"}, "guidance is '4'"),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0"),
        ({"seed": 1.0}, "seed is 1.0"),
        ({"seed": 2**63}, "seed is 9223372036854775808"),
        ({"prompt": 3}, "prompt is 3; it must be a string, or a list"),
        ({"prompt": []}, r"prompt is \[\]"),
        ({"prompt": ["a", None]}, "prompt is"),
        ({"negative": None}, "negative is None"),
        ({"negative": ["a", "b"]}, "There are 1 prompts and 2 negative prompts"),
        ({"step": 3}, "step is 3; it must be a function"),
        ({"step": lambda x, eps, a, b, c: x}, "step has the argument 'c'; after x_t, eps, abar_t, abar_s it may take only"),
        ({"interval": (800, 200)}, r"interval is \(800, 200\); it must be two timesteps, the lower first"),
        ({"interval": 500}, "interval is 500"),
    ],
)
def test_wrong_arguments(pipe, wrong, message):
    with pytest.raises(ValueError, match=message):
        next(steps.generate(pipe, **{"prompt": PROMPT, **wrong}))


def test_numbers_from_numpy_are_numbers(pipe):
    a = last(pipe, PROMPT, seed=np.int64(3), steps=np.int32(2), guidance=np.float32(4))
    assert_close(a, last(pipe, PROMPT, seed=3, steps=2, guidance=4))


@pytest.mark.parametrize(
    "scheduler, message",
    [
        (tiny.scheduler(clip_sample=True), "DDIMScheduler clips its predictions"),
        (tiny.scheduler(thresholding=True), "DDIMScheduler clips its predictions"),
        (FlowMatchEulerDiscreteScheduler(), "FlowMatchEulerDiscreteScheduler has no alphas_cumprod"),
    ],
)
def test_schedulers_that_are_not_plain_ddim(pipe, scheduler, message):
    pipe.scheduler = scheduler
    with pytest.raises(ValueError, match=message):
        next(steps.generate(pipe, PROMPT))


def test_a_unet_distilled_for_guidance(pipe, monkeypatch):
    distilled = FrozenDict({**pipe.unet.config, "time_cond_proj_dim": 8})
    monkeypatch.setattr(pipe.unet, "_internal_dict", distilled)
    with pytest.raises(ValueError, match="distilled"):
        next(steps.generate(pipe, PROMPT))


@pytest.mark.parametrize("mode", [True, False])
def test_callers_grad_mode_is_their_own(pipe, mode):
    with torch.set_grad_enabled(mode):
        for state in steps.generate(pipe, PROMPT, steps=2):
            assert torch.is_grad_enabled() is mode
            assert not state.z_s.requires_grad
        assert not steps.decode(pipe, state.z_s).requires_grad and not steps.embed(pipe, "a").requires_grad
        assert torch.is_grad_enabled() is mode


def test_no_dropout_and_training_goes_on_as_before():
    pipe = tiny.pipeline(dropout=0.9)
    want = last(pipe, PROMPT, steps=2)
    pipe.unet.train()
    pipe.unet.mid_block.eval()  # a part that its owner keeps out of training
    assert_close(last(pipe, PROMPT, steps=2), want, rtol=0, atol=0)
    assert pipe.unet.training and pipe.unet.down_blocks[0].training and not pipe.unet.mid_block.training


@twin("embed")
@pytest.mark.parametrize("prompts", [["a red cat"], ["", "dog", "été 😀"]])
def test_embed(pipe, prompts):
    want, _ = pipe.encode_prompt(prompts, "cpu", 1, False)
    assert_close(steps.embed(pipe, prompts), want)
    assert_close(steps.embed(pipe, prompts[0]), steps.embed(pipe, prompts[:1]))
    assert want.shape == (len(prompts), tiny.TOKENS, 32)


def test_embed_with_an_attention_mask(pipe, monkeypatch):
    unmasked = steps.embed(pipe, "cat")
    monkeypatch.setattr(pipe.text_encoder.config, "use_attention_mask", True, raising=False)
    want, _ = pipe.encode_prompt("cat", "cpu", 1, False)
    assert_close(steps.embed(pipe, "cat"), want)
    assert not torch.equal(want, unmasked)


def test_a_long_prompt_is_cut_with_a_warning(pipe):
    fits = "cat " * (tiny.TOKENS - 2)
    want = steps.embed(pipe, fits)
    with pytest.warns(UserWarning, match="has 15 tokens; only the first 14 are read"):
        assert_close(steps.embed(pipe, fits + "dog"), want)


@twin("initial_noise")
@pytest.mark.parametrize("seeds", [[0], [7, 2**63 - 1, 0]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_initial_noise(pipe, seeds, dtype):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    want = pipe.prepare_latents(len(seeds), 4, 32, 32, dtype, torch.device("cpu"), generators)
    like = pipe if dtype == torch.float32 else tiny.pipeline(dtype)
    assert_close(steps.initial_noise(like, seeds), want, rtol=0, atol=0)


@pytest.mark.parametrize("size, shape", [((8, 12), (8, 12)), (12, (12, 12))])
def test_initial_noise_of_other_sizes(pipe, monkeypatch, size, shape):
    monkeypatch.setattr(pipe.unet, "_internal_dict", FrozenDict({**pipe.unet.config, "sample_size": size}))
    assert steps.initial_noise(pipe, [1, 2]).shape == (2, 4, *shape)


@twin("decode")
@torch.no_grad()
@pytest.mark.parametrize("B, seed, spread", [(1, 0, 1), (3, 1, 1), (2, 2, 30)])
def test_decode(pipe, B, seed, spread):
    z_0 = torch.randn(B, 4, 8, 8, generator=torch.Generator().manual_seed(seed)) * spread
    want = pipe.vae.decode(z_0 / 0.5).sample
    x_0 = steps.decode(pipe, z_0)
    assert x_0.shape == (B, 3, 32, 32) and x_0.abs().max() <= 1
    assert_close(x_0, want.clamp(-1, 1))


@twin("to_uint8")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("seed", [0, 1])
def test_to_uint8(dtype, seed):
    x = torch.randn(2, 3, 40, 50, generator=torch.Generator().manual_seed(seed)).to(dtype)
    x[0, 0, 0] = torch.arange(50) / 255 * 2 - 1  # between two bytes, where rounding decides
    want = VaeImageProcessor().postprocess(x, output_type="pil")
    assert np.array_equal(steps.to_uint8(x).numpy(), np.stack(want))
