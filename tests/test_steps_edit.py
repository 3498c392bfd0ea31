"""Editing against the library's pipelines: a tiny one with random weights, and the shipped base."""

import warnings
from pathlib import Path

import pytest
import tiny
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from tiny import twin
from torch.testing import assert_close

import edu_diffusion
from edu_diffusion import models, steps
from edu_diffusion.steps.text_to_image import timesteps

BASE = Path(edu_diffusion.__file__).parent / "checkpoints" / "base"
needs_base = pytest.mark.skipif(not BASE.exists(), reason="checkpoints/base is not there yet")
PROMPT = "a red cat"


@pytest.fixture(scope="module")
def base():
    pipe = models.load("base", device="cpu", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def pixels(count=1, height=32, width=32, seed=0):
    """Pictures (count, 3, height, width) in [0, 1], as the library wants them."""
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def spot(height=32, width=32):
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 :] = 1
    return mask


def library(kind, pipe, prompt, seeds, **settings):
    """Latents of one of the library's pipelines, made of the parts of ours."""
    theirs = kind(**pipe.components, requires_safety_checker=False)
    theirs.set_progress_bar_config(disable=True)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return theirs(prompt, generator=generators, output_type="latent", **settings).images


def named(count=20, g=steps.GUIDANCE, negative="a dog"):
    return {"num_inference_steps": count, "guidance_scale": g, "negative_prompt": negative}


def last(states):
    return list(states)[-1].z_s


@twin("img2img")
@pytest.mark.parametrize("strength, count, g", [(0.1, 20, 4.0), (0.35, 30, 1.0), (0.6, 7, 7.5), (1.0, 20, 4.0)])
def test_img2img(pipe, strength, count, g):
    x, settings = pixels(), named(count, g)
    got = last(steps.img2img(pipe, PROMPT, 2 * x - 1, strength=strength, negative="a dog", seed=3, steps=count, guidance=g))
    want = library(StableDiffusionImg2ImgPipeline, pipe, PROMPT, [3], image=x, strength=strength, **settings)
    assert_close(got, want)


@twin("inpaint")
@pytest.mark.parametrize("strength, count, g", [(0.1, 20, 4.0), (0.35, 30, 1.0), (0.6, 7, 7.5), (1.0, 20, 4.0)])
def test_inpaint(pipe, strength, count, g):
    x, mask, settings = pixels(), spot(), named(count, g)
    got = last(steps.inpaint(pipe, PROMPT, 2 * x - 1, mask, strength=strength, negative="a dog", seed=3, steps=count, guidance=g))
    want = library(StableDiffusionInpaintPipeline, pipe, PROMPT, [3], image=x, mask_image=mask, strength=strength, **settings)
    assert_close(got, want, rtol=1e-4, atol=1e-4)


@needs_base
@pytest.mark.parametrize("strength, seed", [(0.3, 0), (0.75, 1)])
def test_the_shipped_base(base, strength, seed):
    from edu_diffusion.data import scenes

    x, prompt = (scenes.batch(1, seed=5).images + 1) / 2, "a dog face on a red background"
    given = {"strength": strength, "seed": seed}
    got = last(steps.img2img(base, prompt, 2 * x - 1, **given))
    want = library(StableDiffusionImg2ImgPipeline, base, prompt, [seed], image=x, strength=strength, **named(negative=""))
    assert_close(got, want, rtol=1e-4, atol=1e-4)
    got = last(steps.inpaint(base, prompt, 2 * x - 1, spot(64, 64), **given))
    want = library(
        StableDiffusionInpaintPipeline,
        base,
        prompt,
        [seed],
        image=x,
        mask_image=spot(64, 64),
        strength=strength,
        **named(negative=""),
    )
    assert_close(got, want, rtol=1e-4, atol=1e-4)


@needs_base
def test_the_shipped_base_on_a_grown_canvas(base):
    x = pixels(height=64, width=64)
    canvas, mask = steps.expand_canvas(x, left=16, right=16)
    got = last(steps.inpaint(base, "a cat face", 2 * canvas - 1, mask, seed=2, steps=6))
    want = library(
        StableDiffusionInpaintPipeline,
        base,
        "a cat face",
        [2],
        image=canvas,
        mask_image=mask,
        height=64,
        width=96,
        strength=1.0,
        **named(6, negative=""),
    )
    assert got.shape[2] * 3 == got.shape[3] * 2
    assert_close(got, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["epsilon", "sample"])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
def test_other_schedulers(pipe, kind, spacing):
    pipe.scheduler = tiny.scheduler(prediction_type=kind, timestep_spacing=spacing)
    x, mask = pixels(), spot()
    given = {"strength": 0.6, "seed": 1, "steps": 6}
    for got, theirs, more in [
        (steps.img2img(pipe, PROMPT, 2 * x - 1, **given), StableDiffusionImg2ImgPipeline, {}),
        (steps.inpaint(pipe, PROMPT, 2 * x - 1, mask, **given), StableDiffusionInpaintPipeline, {"mask_image": mask}),
    ]:
        want = library(theirs, pipe, PROMPT, [1], image=x, strength=0.6, **named(6, negative=""), **more)
        assert_close(last(got), want, rtol=1e-4, atol=1e-4)


def test_a_batch_and_its_pictures_alone(pipe):
    prompts, x = ["red cat", "blue dog"], pixels(2)
    got = last(steps.img2img(pipe, prompts, 2 * x - 1, strength=0.5, seed=7, steps=6))
    want = library(StableDiffusionImg2ImgPipeline, pipe, prompts, [7, 8], image=x, strength=0.5, **named(6, negative=["", ""]))
    assert_close(got, want)
    alone = last(steps.img2img(pipe, "blue dog", 2 * x[1:] - 1, strength=0.5, seed=8, steps=6))
    assert_close(got[1:], alone, rtol=0, atol=1e-4)
    masks = torch.cat([spot(), 1 - spot()])
    both = last(steps.inpaint(pipe, prompts, 2 * x[:1] - 1, masks, seed=7, steps=6))
    other = last(steps.inpaint(pipe, "blue dog", 2 * x[:1] - 1, masks[1:], seed=8, steps=6))
    assert_close(both[1:], other, rtol=0, atol=1e-4)


def test_at_strength_one_a_trace_is_left_in_img2img_and_none_in_inpainting(pipe):
    one, two = (2 * pixels(seed=seed) - 1 for seed in (0, 1))
    whole = torch.ones(1, 1, 32, 32)
    starts = [next(iter(steps.img2img(pipe, PROMPT, x, strength=1.0))).z_t for x in (one, two)]
    assert not torch.equal(*starts)
    starts = [next(iter(steps.inpaint(pipe, PROMPT, x, whole))).z_t for x in (one, two)]
    assert torch.equal(*starts)


def test_what_is_held_is_the_picture_at_every_step(pipe):
    """Outside the mask each z_s is the picture's latent at the next step's level; at the end the latent itself."""
    x, mask = 2 * pixels() - 1, spot()
    states = list(steps.inpaint(pipe, PROMPT, x, mask, steps=5))
    out = steps.latent_mask(mask, 4) == 0
    held = [(state.z_s * out) for state in states]
    for one, two in zip(held, [state.z_t * out for state in states[1:]]):
        assert torch.equal(one, two)
    z_0 = [z[0, :, 0, 0] for z in (held[-1], last(steps.inpaint(pipe, "dog", x, mask, steps=3)) * out)]
    assert_close(*z_0)  # whatever the prompt and the number of steps


def test_a_learners_blend_runs_in_the_loop(pipe):
    x, mask, seen = 2 * pixels() - 1, spot(), []

    def mine(known, drawn, m):
        seen.append(m.shape)
        return known

    got = last(steps.inpaint(pipe, PROMPT, x, mask, steps=4, mix=mine))
    assert seen == [(1, 1, 8, 8)] * 4
    assert_close(got, last(steps.inpaint(pipe, "dog", x, mask, steps=4, mix=mine)))


@twin("from_strength")
@pytest.mark.parametrize("strength", [0.05, 0.29, 0.35, 0.7, 1.0])
@pytest.mark.parametrize("count", [20, 30, 50])
def test_from_strength(pipe, strength, count):
    theirs = StableDiffusionImg2ImgPipeline(**pipe.components, requires_safety_checker=False)
    theirs.scheduler.set_timesteps(count)
    want, n = theirs.get_timesteps(count, strength, "cpu")
    got = steps.from_strength(timesteps(pipe, count), strength)
    assert [t for t, _ in got] == want.tolist() and len(got) == n


@twin("invert")
@pytest.mark.parametrize("kind", ["v_prediction", "epsilon"])
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("count", [1, 7, 20])
def test_invert(pipe, kind, spacing, count):
    pipe.scheduler = tiny.scheduler(prediction_type=kind, timestep_spacing=spacing)
    x = 2 * pixels() - 1
    states = list(steps.invert(pipe, PROMPT, x, steps=count))
    inverse = DDIMInverseScheduler.from_config(pipe.scheduler.config)
    inverse.set_timesteps(count)
    z, c = steps.encode(pipe, x), steps.embed(pipe, PROMPT)
    for state, t in zip(states, inverse.timesteps, strict=True):
        assert state.t == t and torch.equal(state.z_s, states[state.i - 1].z_t if state.i else z)
        with torch.no_grad():
            z = inverse.step(pipe.unet(z, t, c).sample, t, z).prev_sample
    assert_close(states[-1].z_t, z)


def test_there_and_back(pipe):
    """Drawn on from its noise, a picture comes back, and the truer the more steps."""
    x = 2 * pixels() - 1
    z_0, far = steps.encode(pipe, x), []
    for count in (10, 100):
        *_, state = steps.invert(pipe, PROMPT, x, steps=count)
        back = last(steps.generate(pipe, PROMPT, z_T=state.z_t, steps=count, guidance=1.0))
        far.append((back - z_0).abs().mean().item())
    assert far[1] < far[0] / 3


@twin("blend")
@pytest.mark.parametrize("seed", [0, 1])
def test_blend(pipe, seed):
    """The library's line is inside its loop: after a last step of level 0 nothing else is left to see."""
    rng = torch.Generator().manual_seed(seed)
    known, drawn, mask = *torch.randn(2, 2, 4, 8, 8, generator=rng), torch.ones(1, 1, 8, 8)
    mask[..., :3] = 0
    got = steps.blend(known, drawn, mask)
    assert torch.equal(got[..., :3], known[..., :3]) and torch.equal(got[..., 3:], drawn[..., 3:])
    x, m = pixels(seed=seed), spot()
    want = library(
        StableDiffusionInpaintPipeline, pipe, PROMPT, [seed], image=x, mask_image=m, strength=0.5, **named(2, negative="")
    )
    *_, state = steps.inpaint(pipe, PROMPT, 2 * x - 1, m, strength=0.5, seed=seed, steps=2)
    eps = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(seed))
    assert_close(steps.blend(steps.encode(pipe, 2 * x - 1, eps), state.z_0, steps.latent_mask(m, 4)), want)


@twin("paste")
@pytest.mark.parametrize("seed", [0, 1])
def test_paste(seed):
    """Bytes equal to the library's overlay; outside the mask bit for bit."""
    x, drawn = (pixels(seed=s) * 2 - 1 for s in (seed, seed + 10))
    mask = (torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(seed)) > 0.5).float()
    got = steps.paste(x, drawn, mask)
    outside = (mask < 0.5).expand_as(x)
    assert torch.equal(got[outside], x[outside]) and torch.equal(got[~outside], drawn[~outside])
    pil = [Image.fromarray(steps.to_uint8(picture)[0].numpy()) for picture in (x, drawn)]
    black_and_white = Image.fromarray((mask[0, 0] * 255).byte().numpy())
    want = VaeImageProcessor().apply_overlay(black_and_white, *pil)
    assert steps.to_uint8(got)[0].numpy().tobytes() == want.tobytes()


@twin("expand_canvas")
@pytest.mark.parametrize("left, right, top, bottom", [(4, 8, 0, 0), (0, 0, 4, 4), (8, 0, 12, 4)])
def test_expand_canvas(left, right, top, bottom):
    x = pixels(2, 8, 12)
    canvas, mask = steps.expand_canvas(x, left, right, top, bottom)
    assert torch.equal(canvas, torch.nn.functional.pad(x, (left, right, top, bottom), mode="replicate"))
    inner = slice(top, top + 8), slice(left, left + 12)
    assert mask.shape == (1, 1, *canvas.shape[2:]) and not mask[..., *inner].any()
    assert mask.sum() == mask.numel() - 8 * 12


@twin("latent_mask")
@pytest.mark.parametrize("factor", [4, 8])
def test_latent_mask(pipe, factor):
    mask = torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(factor)).round()
    theirs = StableDiffusionInpaintPipeline(**pipe.components, requires_safety_checker=False)
    theirs.vae_scale_factor = factor
    latents = torch.zeros(1, 4, 8, 8)
    want, _ = theirs.prepare_mask_latents(mask, latents, 1, 32, 48, torch.float32, "cpu", None, False)
    assert torch.equal(steps.latent_mask(mask, factor), want)


@twin("encode")
def test_encode(pipe):
    x = 2 * pixels(2) - 1
    rng = torch.Generator().manual_seed(3)
    dist = pipe.vae.encode(x).latent_dist
    assert_close(steps.encode(pipe, x), dist.mode().detach() * pipe.vae.config.scaling_factor)
    eps = torch.randn(2, 4, 8, 8, generator=rng.manual_seed(3))
    want = dist.sample(generator=rng.manual_seed(3)) * pipe.vae.config.scaling_factor
    assert_close(steps.encode(pipe, x, eps), want.detach())


def test_the_parts_stay_as_they_were(pipe):
    pipe.vae.train()
    list(steps.inpaint(pipe, PROMPT, 2 * pixels() - 1, spot(), steps=2))
    assert pipe.vae.training and not pipe.unet.training
    pipe.vae.eval()
    assert isinstance(pipe.scheduler, DDIMScheduler) and pipe.scheduler.num_inference_steps is None


@pytest.mark.parametrize("strength", [0, -0.1, 1.1, 0.04, float("nan"), "0.5", True])
def test_a_strength_that_cannot_be(pipe, strength):
    with pytest.raises(ValueError, match=r"strength is .*from 0\.05 to 1"):
        next(steps.img2img(pipe, PROMPT, 2 * pixels() - 1, strength=strength))


@pytest.mark.parametrize(
    "x, words",
    [
        (None, "NoneType"),
        (torch.zeros(3, 32, 32), r"\(3, 32, 32\)"),
        (torch.zeros(1, 1, 32, 32), "3, H, W"),
        (torch.zeros(3, 3, 32, 32), r"\(2, 3, H, W\)"),
        (torch.zeros(1, 3, 30, 32), "30 x 32.*multiples of 4"),
        (torch.full((1, 3, 32, 32), 255.0), r"from 255 to 255; a picture must be in \[-1, 1\]"),
        (torch.full((1, 3, 32, 32), float("nan")), "nan"),
    ],
)
def test_what_is_no_picture(pipe, x, words):
    for run in (
        steps.img2img(pipe, [PROMPT] * 2, x),
        steps.inpaint(pipe, [PROMPT] * 2, x, spot()),
        steps.invert(pipe, [PROMPT] * 2, x),
    ):
        with pytest.raises(ValueError, match=words):
            next(run)


@pytest.mark.parametrize(
    "mask, words",
    [
        (None, "mask is"),
        (torch.ones(32, 32), r"mask is \(32, 32\)"),
        (torch.ones(1, 3, 32, 32), r"1, 1, 32, 32"),
        (torch.ones(1, 1, 64, 64), "64, 64"),
        (torch.ones(2, 1, 32, 32), "one for each"),
        (torch.zeros(1, 1, 32, 32), "marks no cell.*4 pixels"),
    ],
)
def test_what_is_no_mask(pipe, mask, words):
    with pytest.raises(ValueError, match=words):
        next(steps.inpaint(pipe, PROMPT, 2 * pixels() - 1, mask))


def test_a_latent_to_begin_with_that_does_not_fit(pipe):
    for z_T in (torch.zeros(1, 4, 8, 8), torch.zeros(2, 3, 8, 8), "noise"):
        with pytest.raises(ValueError, match=r"z_T is .*\(2, 4, h, w\)"):
            next(steps.generate(pipe, [PROMPT] * 2, z_T=z_T))


def test_generate_begins_where_it_is_told(pipe):
    noise = steps.initial_noise(pipe, [4])
    want = last(steps.generate(pipe, PROMPT, seed=4, steps=4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = last(steps.generate(pipe, PROMPT, z_T=noise, pairs=timesteps(pipe, 4)))
    assert torch.equal(got, want)
