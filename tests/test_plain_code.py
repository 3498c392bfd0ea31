"""Code as beginners' courses write it, with a folder of ours in place of a hub id: it draws, and needs nothing of this package.

Every test begins with a folder's path and the libraries. What such code gets wrong, with numbers of another model in it, stands
on the base's card.
"""

import numpy as np
import pytest
import tiny
import torch
from diffusers import (
    AutoencoderKL,
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    ControlNetModel,
    DDIMScheduler,
    DDPMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LMSDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionControlNetPipeline,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
    UniPCMultistepScheduler,
)
from PIL import Image
from torch.testing import assert_close
from transformers import CLIPTextModel, CLIPTokenizer

from edu_diffusion import models
from edu_diffusion.data import files
from edu_diffusion.train import inversion
from edu_diffusion.train.lora import save_lora, with_lora

pytestmark = [
    # diffusers hands numpy torch tensors in a way that numpy 2 deprecates
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.fault("wrong"),
]
PROMPT, SIDE, LATENT = "a cat", 64, 16
BASE = files.PACKAGE / "checkpoints" / "base"
RED, WHITE = Image.new("RGB", (SIDE, SIDE), "red"), Image.new("L", (SIDE, SIDE), 255)
IMAGES = {
    StableDiffusionPipeline: {},
    DiffusionPipeline: {},
    AutoPipelineForText2Image: {},
    StableDiffusionImg2ImgPipeline: {"image": RED, "strength": 0.8},
    AutoPipelineForImage2Image: {"image": RED},
    StableDiffusionInpaintPipeline: {"image": RED, "mask_image": WHITE},
    AutoPipelineForInpainting: {"image": RED, "mask_image": WHITE},
}
SCHEDULERS = [
    DDIMScheduler,
    DDPMScheduler,
    PNDMScheduler,
    LMSDiscreteScheduler,
    EulerDiscreteScheduler,
    EulerAncestralDiscreteScheduler,
    HeunDiscreteScheduler,
    DPMSolverMultistepScheduler,
    UniPCMultistepScheduler,
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of ours, of random weights, without its checksums."""
    return tiny.saved(tmp_path_factory.mktemp("plain") / "tiny")


@pytest.fixture
def plain(folder):
    return StableDiffusionPipeline.from_pretrained(folder)


def finite(pipe, prompt=PROMPT, size=(SIDE, SIDE), steps=2, **settings):
    """Draw a few steps as numbers, assert that they are a finite picture of this size, and return it."""
    pipe.set_progress_bar_config(disable=True)
    picture = pipe(prompt, num_inference_steps=steps, output_type="np", **settings).images[0]
    assert picture.shape == (*size, 3) and np.isfinite(picture).all() and picture.std() > 0
    return picture


# ---------------------------------------------------------------- from_pretrained


@pytest.mark.parametrize("kind", IMAGES, ids=lambda kind: kind.__name__)
def test_a_pipeline_of_every_name(folder, kind):
    finite(kind.from_pretrained(str(folder)), **IMAGES[kind])


@pytest.mark.filterwarnings("ignore:`torch_dtype` is deprecated:FutureWarning")  # the courses were written before
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
def test_dtype(folder, name, dtype):
    pipe = DiffusionPipeline.from_pretrained(folder, **{name: dtype}, use_safetensors=True, safety_checker=None)
    assert pipe.unet.dtype == dtype
    finite(pipe)


def test_half_precision_on_a_cpu(plain):
    assert finite(plain.to(torch.float16)).dtype == np.float32
    assert finite(plain.to("cpu", torch.float32)).dtype == np.float32


@pytest.mark.parametrize("name", [None, "fp16"])
def test_a_variant(plain, tmp_path, name):
    plain.save_pretrained(tmp_path / "mine", variant=name, safe_serialization=True)
    finite(StableDiffusionPipeline.from_pretrained(tmp_path / "mine", variant=name))


def test_a_variant_that_we_do_not_ship_is_an_error_of_the_library_and_no_random_weights(folder):
    with pytest.raises((OSError, ValueError), match="variant"):
        StableDiffusionPipeline.from_pretrained(folder, variant="fp16")


def test_parts_of_one_pipeline_make_another(plain):
    finite(StableDiffusionImg2ImgPipeline(**plain.components, requires_safety_checker=False), image=RED)
    finite(AutoPipelineForInpainting.from_pipe(plain), image=RED, mask_image=WHITE)


# ---------------------------------------------------------------- settings of a call


def test_what_a_first_notebook_tries(plain):
    plain.enable_attention_slicing()
    plain.vae.enable_slicing()
    plain.vae.enable_tiling()
    generator = torch.Generator("cpu").manual_seed(1024)
    one = finite(plain, negative_prompt="blurry", guidance_scale=7.5, generator=generator, eta=0.0)
    plain.disable_attention_slicing()
    again = finite(plain, negative_prompt="blurry", guidance_scale=7.5, generator=torch.Generator().manual_seed(1024))
    assert_close(torch.from_numpy(one), torch.from_numpy(again), rtol=0, atol=1e-3)


def test_several_pictures_other_sizes_and_a_grid(plain):
    plain.set_progress_bar_config(disable=True)
    images = plain([PROMPT] * 2, num_images_per_prompt=2, num_inference_steps=2, height=32, width=96).images
    grid = Image.new("RGB", (2 * 96, 2 * 32))
    for i, image in enumerate(images):
        grid.paste(image, (i % 2 * 96, i // 2 * 32))
    assert len(images) == 4 and {image.size for image in images} == {(96, 32)}


def test_a_callback_sees_every_step(plain):
    seen = []

    def callback(pipe, step, timestep, tensors):
        seen.append(tensors["latents"].shape)
        return tensors

    finite(plain, callback_on_step_end=callback)
    assert seen == [(1, 4, LATENT, LATENT)] * 2


@pytest.mark.parametrize("kind", SCHEDULERS, ids=lambda kind: kind.__name__)
def test_another_scheduler_from_its_config(plain, kind):
    plain.scheduler = kind.from_config(plain.scheduler.config)
    assert plain.scheduler.config.prediction_type == "v_prediction"
    finite(plain, steps=5)  # PNDM's Runge-Kutta steps need four timesteps


# ---------------------------------------------------------------- part by part


@torch.no_grad()
def by_hand(folder, kind, steps=3, guidance=7.5, seed=32):
    """The loop that courses write out, from parts that are loaded one by one; returns pixels from 0 to 1."""
    tokenizer = CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(folder, subfolder="text_encoder", use_safetensors=True)
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae", use_safetensors=True)
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet", use_safetensors=True)
    scheduler = kind.from_pretrained(folder, subfolder="scheduler")

    def embeddings(text):
        tokens = tokenizer(text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt")
        return text_encoder(tokens.input_ids)[0]

    both = torch.cat([embeddings([""]), embeddings([PROMPT])])
    size = unet.config.sample_size
    latents = torch.randn((1, unet.config.in_channels, size, size), generator=torch.manual_seed(seed))
    scheduler.set_timesteps(steps)
    latents = latents * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        doubled = scheduler.scale_model_input(torch.cat([latents] * 2), t)
        out_u, out_c = unet(doubled, t, encoder_hidden_states=both).sample.chunk(2)
        latents = scheduler.step(out_u + guidance * (out_c - out_u), t, latents).prev_sample
    pixels = vae.decode(latents / vae.config.scaling_factor).sample
    return (pixels / 2 + 0.5).clamp(0, 1)[0].permute(1, 2, 0)


@pytest.mark.parametrize("kind", [DDIMScheduler, EulerDiscreteScheduler, LMSDiscreteScheduler, DPMSolverMultistepScheduler])
def test_the_loop_by_hand_draws_what_the_pipeline_draws(folder, plain, kind):
    plain.scheduler = kind.from_config(plain.scheduler.config)
    plain.set_progress_bar_config(disable=True)
    theirs = plain(PROMPT, num_inference_steps=3, generator=torch.manual_seed(32), output_type="np").images[0]
    ours = by_hand(folder, kind)
    assert ours.shape == (SIDE, SIDE, 3) and ours.isfinite().all() and ours.std() > 0
    assert_close(ours, torch.from_numpy(theirs), rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_a_picture_goes_through_the_vae_and_back(folder):
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    pixels = torch.linspace(-1, 1, 3 * SIDE * SIDE).view(1, 3, SIDE, SIDE)
    latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
    back = vae.decode(latents / vae.config.scaling_factor).sample
    assert latents.shape == (1, 4, LATENT, LATENT) and back.shape == pixels.shape and back.isfinite().all()


def test_a_training_step_as_in_the_libraries_examples(folder):
    """Noise is added, the target is chosen by the prediction type, and the loss has a gradient everywhere."""
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet").train()
    scheduler = DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    latents, noise, t = torch.randn(2, 4, LATENT, LATENT), torch.randn(2, 4, LATENT, LATENT), torch.tensor([10, 900])
    assert scheduler.config.prediction_type == "v_prediction"
    target = scheduler.get_velocity(latents, noise, t)
    text = torch.randn(2, 16, unet.config.cross_attention_dim)
    out = unet(scheduler.add_noise(latents, noise, t), t, encoder_hidden_states=text).sample
    torch.nn.functional.mse_loss(out, target).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in unet.parameters())


# ---------------------------------------------------------------- what is added to a pipeline


def test_a_lora(folder, plain, tmp_path):
    taught = models.load(folder, "cpu")
    with_lora(taught.unet, 2, 2)
    for name, weight in taught.unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    save_lora(taught, tmp_path / "lora")
    before = finite(plain, generator=torch.manual_seed(0))
    plain.load_lora_weights(str(tmp_path / "lora"), adapter_name="mine")
    with_it = finite(plain, generator=torch.manual_seed(0))
    half = finite(plain, generator=torch.manual_seed(0), cross_attention_kwargs={"scale": 0.5})
    plain.set_adapters(["mine"], adapter_weights=[0.5])
    assert_close(torch.from_numpy(finite(plain, generator=torch.manual_seed(0))), torch.from_numpy(half))
    plain.unload_lora_weights()
    after = finite(plain, generator=torch.manual_seed(0))
    assert (before == after).all() and (before != with_it).any() and (half != with_it).any()


def test_a_textual_inversion(plain, tmp_path):
    row = plain.text_encoder.get_input_embeddings().weight[:1]
    inversion.save(tmp_path / "run", "<zib>", row[0], {})
    plain.load_textual_inversion(str(tmp_path / "run"))
    assert "<zib>" in plain.tokenizer.get_vocab()
    finite(plain, "a <zib>")


def test_a_controlnet(folder, plain, tmp_path):
    models.save_control(models.build_controlnet(plain.unet), tmp_path / "net", {})
    net = ControlNetModel.from_pretrained(str(tmp_path / "net"))
    pipe = StableDiffusionControlNetPipeline.from_pretrained(str(folder), controlnet=net)
    finite(pipe, image=RED, controlnet_conditioning_scale=0.5)


# ---------------------------------------------------------------- what outsiders' code gets wrong


def test_the_card_says_which_numbers_of_another_model_are_wrong_here():
    text = (BASE / "README.md").read_text(encoding="utf-8")
    config = {part: files.read_json(BASE / part / "config.json") for part in ("vae", "unet", "text_encoder")}
    kind = files.read_json(BASE / "scheduler" / "scheduler_config.json")["prediction_type"]
    assert f"scaling factor is {config['vae']['scaling_factor']:.4g}, not 0.18215" in text
    assert f'predicts v (`prediction_type="{kind}"`)' in text and kind == "v_prediction"
    assert "latents are {0} x {0}, ".format(config["unet"]["sample_size"]) in text
    assert f"a prompt has {config['text_encoder']['max_position_embeddings']} tokens, not 77" in text


@torch.no_grad()
@pytest.mark.fault("silent")
def test_those_numbers_spoil_the_picture():
    """The base's cat: nearly the same by Euler's method, quite another with the wrong factor, or v taken for the noise."""
    pipe = StableDiffusionPipeline.from_pretrained(BASE)
    pipe.set_progress_bar_config(disable=True)

    def drawn(kind=DDIMScheduler, factor=pipe.vae.config.scaling_factor, **changes):
        pipe.scheduler = kind.from_config(pipe.scheduler.config, **{"prediction_type": "v_prediction", **changes})
        call = {"num_inference_steps": 20, "guidance_scale": 4.0, "generator": torch.manual_seed(0), "output_type": "latent"}
        z_0 = pipe("a cat face on a blue background", **call).images
        return pipe.vae.decode(z_0 / factor).sample.clamp(-1, 1)

    right = drawn()
    error = {name: (drawn(**wrong) - right).abs().mean().item() for name, wrong in WRONG.items()}
    assert error["none"] < 0.1 < 0.3 < min(error["factor"], error["noise"]), error


WRONG = {"none": {"kind": EulerDiscreteScheduler}, "factor": {"factor": 0.18215}, "noise": {"prediction_type": "epsilon"}}
