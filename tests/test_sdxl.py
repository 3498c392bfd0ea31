"""The published models' topologies, narrow and with random weights: every step against the library's own pipelines."""

import pytest
import real
import tiny
import torch
from diffusers import ControlNetModel, DDIMScheduler, StableDiffusionXLControlNetPipeline
from tiny import twin, vanilla
from torch.testing import assert_close

from edu_diffusion import steps

PROMPT = "a red cat"
BUILT = {"1.5": real.sd15, "2": real.sd2, "xl": real.sdxl, "turbo": lambda: real.sdxl(turbo=True)}
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pipes():
    return {}


@pytest.fixture(params=BUILT)
def pipe(request, pipes):
    return built(request.param, pipes)


@pytest.fixture
def xl(pipes):
    return built("xl", pipes)


def built(name, pipes):
    if name not in pipes:
        pipes[name] = BUILT[name]()
    pipes[name].scheduler = DDIMScheduler.from_config(pipes[name].scheduler.config, clip_sample=False)
    return pipes[name]


def last(pipe, *args, **settings):
    return list(steps.generate(pipe, *args, **settings))[-1].z_s


# ---------------------------------------------------------------- whole runs


@pytest.mark.parametrize("g", [1.0, 5.0])
@pytest.mark.parametrize("count", [1, 3])
def test_every_topology_gives_the_librarys_latents_and_pictures(pipe, count, g):
    settings = {"num_inference_steps": count, "guidance_scale": g}
    states, each = list(steps.generate(pipe, PROMPT, seed=3, steps=count, guidance=g)), []
    note = lambda pipe, i, t, given: each.append(given["latents"]) or given
    got = states[-1].z_s
    assert_close(got, vanilla(pipe, PROMPT, [3], callback_on_step_end=note, **settings))
    assert_close([state.z_s for state in states], each)
    assert_close(steps.decode(pipe, got) / 2 + 0.5, vanilla(pipe, PROMPT, [3], "pt", **settings))


def test_negative_prompts_and_a_batch(pipe):
    prompts, negatives = [PROMPT, "a dog"], ["blue", "red red"]
    got = last(pipe, prompts, negative=negatives, seed=5, steps=2, guidance=4.0)
    settings = {"num_inference_steps": 2, "guidance_scale": 4.0, "negative_prompt": negatives}
    assert_close(got, vanilla(pipe, prompts, [5, 6], **settings))


@pytest.mark.parametrize("zeros", [True, False])
def test_an_empty_negative_prompt_is_zeros_where_the_model_was_trained_so(xl, zeros):
    xl.register_to_config(force_zeros_for_empty_prompt=zeros)
    got = last(xl, PROMPT, steps=2, guidance=4.0)
    xl.register_to_config(force_zeros_for_empty_prompt=True)
    said = {} if zeros else {"negative_prompt": ""}
    assert_close(got, vanilla(xl, PROMPT, num_inference_steps=2, guidance_scale=4.0, **said))
    mixed = last(xl, [PROMPT] * 2, negative=["", "blue"], steps=2, guidance=4.0)[:1]
    assert_close(mixed, last(xl, PROMPT, steps=2, guidance=4.0))


@pytest.mark.parametrize("count", [1, 4])
def test_turbo_in_a_few_steps_with_its_own_scheduler(count):
    pipe = real.sdxl(turbo=True)
    want = vanilla(pipe, PROMPT, [1], num_inference_steps=count, guidance_scale=0.0)
    noise = steps.initial_noise(pipe, [1])
    start = noise * (1 - pipe.scheduler.alphas_cumprod[-1]) ** 0.5  # the library's sigma begins there, not at pure noise
    settings = {"seed": 1, "steps": count, "guidance": 1, "step": steps.euler_ancestral_step}
    assert_close(last(pipe, PROMPT, z_T=start, **settings), want, rtol=1e-4, atol=1e-4)  # the first step divides by 0.07


def test_other_sizes_are_told_to_the_model(xl):
    z_T = torch.randn(1, 4, 10, 6, generator=torch.Generator().manual_seed(0))
    got = last(xl, PROMPT, steps=2, guidance=3.0, z_T=z_T)
    settings = {"num_inference_steps": 2, "guidance_scale": 3.0, "latents": z_T, "height": 80, "width": 48}
    assert_close(got, xl(PROMPT, output_type="latent", **settings).images)
    wrong = xl(PROMPT, output_type="latent", original_size=(64, 64), **settings).images
    assert (got - wrong).abs().max() > 1e-4


def test_a_sampler_that_evaluates_twice_and_an_interval(xl):
    plain = last(xl, PROMPT, steps=3, guidance=3.0)
    assert last(xl, PROMPT, steps=3, guidance=3.0, step=steps.heun_step).shape == plain.shape
    assert (last(xl, PROMPT, steps=3, guidance=3.0, interval=(0, 400)) - plain).abs().max() > 1e-4
    assert_close(last(xl, PROMPT, steps=3, guidance=3.0, interval=(0, 999)), plain)
    never = last(xl, PROMPT, steps=3, guidance=3.0, interval=(0, 0))  # no timestep is 0
    assert_close(never, last(xl, PROMPT, steps=3, guidance=1))


def test_editing_runs_on_xl(xl):
    x_0 = torch.linspace(-1, 1, 3 * 64 * 64).reshape(1, 3, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1
    for states in (
        steps.img2img(xl, PROMPT, x_0, steps=4),
        steps.inpaint(xl, PROMPT, x_0, mask, steps=2),
        steps.invert(xl, PROMPT, x_0, steps=2),
    ):
        assert list(states)[-1].z_s.isfinite().all()


def test_half_precision_decodes_in_float32():
    """As in the library: Stable Diffusion XL's VAE overflows in float16."""
    pipe = real.sdxl().to(torch.float16)
    z_0 = steps.initial_noise(pipe, [0])
    picture = steps.decode(pipe, z_0)
    assert picture.dtype == torch.float32 and pipe.vae.dtype == torch.float16
    whole = pipe.vae.float().decode(z_0.float() / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)
    assert_close(picture, whole)
    pipe.vae.half()
    assert steps.encode(pipe, picture).dtype == torch.float16


def test_a_controlnet_gets_the_added_conditioning(xl):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = ControlNetModel.from_unet(xl.unet, conditioning_embedding_out_channels=(4, 8, 8, 8)).eval()
        for conv in [*net.controlnet_down_blocks, net.controlnet_mid_block, net.controlnet_cond_embedding.conv_out]:
            torch.nn.init.normal_(conv.weight, std=0.1)
    condition = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    got = last(xl, PROMPT, steps=2, guidance=3.0, control=steps.Control(net, condition))
    parts = {name: part for name, part in xl.components.items() if part is not None}
    pipe = StableDiffusionXLControlNetPipeline(**parts, controlnet=net, add_watermarker=False)
    pipe.set_progress_bar_config(disable=True)
    settings = {"num_inference_steps": 2, "guidance_scale": 3.0, "image": condition, "height": 64, "width": 64}
    assert_close(got, vanilla(pipe, PROMPT, **settings))
    assert (got - last(xl, PROMPT, steps=2, guidance=3.0)).abs().max() > 1e-4


# ---------------------------------------------------------------- the steps


@twin("embed_xl")
@pytest.mark.parametrize("prompts", [["a red cat"], ["a dog", "cat", ""]])
def test_embed_xl(xl, prompts):
    c, pooled = steps.embed_xl(xl, prompts)
    want, _, want_pooled, _ = xl.encode_prompt(prompts, do_classifier_free_guidance=False)
    assert_close(c, want)
    assert_close(pooled, want_pooled)
    assert_close(steps.embed(xl, prompts), want)


@twin("size_ids")
@pytest.mark.parametrize("sizes", [((64, 64), (0, 0), (64, 64)), ((1024, 768), (3, 5), (512, 640))])
def test_size_ids(xl, sizes):
    want = xl._get_add_time_ids(*sizes, torch.float32, xl.text_encoder_2.config.projection_dim)
    assert_close(steps.size_ids(*sizes)[None], want)


@pytest.mark.parametrize("sizes", [(64, (0, 0), (64, 64)), ((64, 0), (0, 0), (64, 64)), ((64, 64), (-1, 0), (64, 64))])
def test_wrong_sizes_are_a_sentence(sizes):
    with pytest.raises(ValueError, match="(original|crop) is"):
        steps.size_ids(*sizes)


def inputs(pipe, B=2):
    generator = torch.Generator().manual_seed(0)
    unet = pipe.unet.config
    z_t, c = torch.randn(B, 4, 8, 8, generator=generator), torch.randn(B, 5, unet.cross_attention_dim, generator=generator)
    pooled, ids = torch.randn(B, 80, generator=generator), torch.tensor([[64.0, 64, 0, 0, 64, 64], [80, 60, 2, 3, 64, 64]])
    return z_t, c, {"text_embeds": pooled, "time_ids": ids[:B]}


@twin("added_embedding")
def test_added_embedding(xl):
    z_t, c, added = inputs(xl)
    assert_close(steps.added_embedding(xl.unet, added, z_t), xl.unet.get_aug_embed(torch.zeros(2, 80), c, added))


def test_the_readable_unet_of_every_topology(pipe):
    z_t, c, added = inputs(pipe)
    xl = pipe.unet.config.addition_embed_type is not None
    want = pipe.unet(z_t, 321, c, added_cond_kwargs=added if xl else None).sample
    assert_close(steps.unet_forward(pipe.unet, z_t, 321, c, added=added if xl else None), want)


@pytest.mark.parametrize("added", [None, {}, {"text_embeds": torch.zeros(2, 80)}, {"text_embeds": torch.zeros(2, 81)}])
def test_missing_conditioning_is_a_sentence(xl, added):
    z_t, c, _ = inputs(xl)
    with pytest.raises(ValueError, match=r"added\['\w+'\] has the shape .*; for Stable Diffusion XL it must be \(2, "):
        steps.unet_forward(xl.unet, z_t, 3, c, added=added)


def test_the_readable_controlnet(xl):
    net = ControlNetModel.from_unet(xl.unet, conditioning_embedding_out_channels=(4, 8, 8, 8)).eval()
    torch.nn.init.normal_(net.controlnet_mid_block.weight, std=0.1, generator=torch.Generator().manual_seed(0))
    (z_t, c, added), condition = inputs(xl), torch.rand(2, 3, 64, 64)
    _, want = net(z_t, 5, c, condition, added_cond_kwargs=added, return_dict=False)
    assert_close(steps.control_forward(net, z_t, 5, c, condition, added=added)[1], want)


def test_the_refiner_is_refused_in_a_sentence():
    pipe = real.sdxl()
    pipe.text_encoder = None
    with pytest.raises(ValueError, match="This pipeline has no text_encoder; .*refiner"):
        steps.embed(pipe, "a cat")


def test_a_cut_prompt_is_said_once_for_each_encoder(xl):
    with pytest.warns(UserWarning, match=f"only the first {tiny.TOKENS - 2} are read"):
        steps.embed(xl, "a red cat " * 9)
