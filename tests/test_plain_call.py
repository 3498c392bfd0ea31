"""Every folder that the package writes works with the libraries' plain call: without a dtype or other arguments."""

import pytest
import tiny
import torch
from diffusers import (
    AutoPipelineForImage2Image,
    AutoPipelineForInpainting,
    AutoPipelineForText2Image,
    ControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
)
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import CLIPModel

from edu_diffusion import models
from edu_diffusion.cli.ship import ship
from edu_diffusion.data import files
from edu_diffusion.train import inversion
from edu_diffusion.train.lora import save_lora, with_lora
from edu_diffusion.train.save import keep

# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PARTS = ("text_encoder", "unet", "vae")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved pipeline of random weights."""
    return tiny.saved(tmp_path_factory.mktemp("pipes") / "tiny")


@pytest.fixture
def pipe(folder):
    return StableDiffusionPipeline.from_pretrained(folder)


def draws(pipe, prompt="a cat", **settings):
    """Assert that a vanilla pipeline computes in float32 alone, and that its call gives a picture."""
    dtypes = {tensor.dtype for part in PARTS for tensor in getattr(pipe, part).parameters()}
    assert dtypes == {torch.float32}
    assert pipe(prompt, num_inference_steps=2, **settings).images[0].size == (64, 64)


PICTURE, MASK = Image.new("RGB", (64, 64), "red"), Image.new("L", (64, 64), 255)
PLAIN = {
    StableDiffusionPipeline: {},
    AutoPipelineForText2Image: {},
    AutoPipelineForImage2Image: {"image": PICTURE},
    AutoPipelineForInpainting: {"image": PICTURE, "mask_image": MASK},
}
CONTROLLED = {kind: {**images, "image" if "image" not in images else "control_image": PICTURE} for kind, images in PLAIN.items()}


def shown(picture):
    """Assert that a picture has the size of the model's, and is not of one colour."""
    assert picture.size == (64, 64) and any(low < high for low, high in picture.getextrema())


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_every_kind_of_pipeline_draws_with_no_argument_but_its_pictures(folder, kind):
    plain = kind.from_pretrained(folder)
    plain.set_progress_bar_config(disable=True)
    shown(plain("a cat", **PLAIN[kind]).images[0])


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_the_same_with_a_controlnet(folder, pipe, tmp_path, kind):
    models.save_control(models.build_controlnet(pipe.unet), tmp_path / "net", {})
    net, kind_of = ControlNetModel.from_pretrained(tmp_path / "net"), kind
    if kind is StableDiffusionPipeline:
        kind_of = StableDiffusionControlNetPipeline
    plain = kind_of.from_pretrained(folder, controlnet=net)
    plain.set_progress_bar_config(disable=True)
    assert "ControlNet" in type(plain).__name__
    shown(plain("a cat", **CONTROLLED[kind]).images[0])


def on_disk(folder):
    """The dtypes of all floating tensors in the files of a folder."""
    tensors = [x for path in folder.rglob("*.safetensors") for x in load_file(path).values()]
    return {x.dtype for x in tensors if x.is_floating_point()}


def test_a_pipeline(pipe, folder):
    draws(pipe)
    assert on_disk(folder) == {torch.float16}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_pipeline_that_was_computed_in_16_bit(folder, tmp_path, dtype):
    models.save(models.load(folder, "cpu", dtype), tmp_path / "again")
    draws(StableDiffusionPipeline.from_pretrained(tmp_path / "again"))
    assert on_disk(tmp_path / "again") == {torch.float16}


def test_a_single_file(folder, tmp_path):
    path = models.to_single_file(models.load(folder, "cpu"), tmp_path / "all.safetensors")
    draws(StableDiffusionPipeline.from_single_file(str(path), config=str(folder)))


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_clip_as_a_recipe_leaves_it_and_as_it_is_shipped(tmp_path, kind):
    words = tiny.tokenizer()
    clip = models.build_clip(len(words), words.bos_token_id, words.eos_token_id).to(getattr(torch, kind))
    keep({"clip": clip, "tokenizer": words}, tmp_path)
    files.write_json(tmp_path / "model" / "card.json", {})
    ship(tmp_path / "model", tmp_path / "shipped", {})
    assert CLIPModel.from_pretrained(tmp_path / "model" / "clip").dtype == torch.float32
    assert CLIPModel.from_pretrained(tmp_path / "shipped" / "clip").dtype == torch.float32
    assert on_disk(tmp_path / "shipped") == {torch.float16}


def test_shipping_makes_an_older_configuration_plain(tmp_path):
    """As this package wrote it: float16 for the whole, float32 for its parts, and the folder that it was begun from."""
    (tmp_path / "model").mkdir()
    save_file({"w": torch.ones(2)}, tmp_path / "model" / "model.safetensors")
    text = {"model_type": "clip_text_model", "dtype": "float16", "_name_or_path": "/home/me"}
    files.write_json(tmp_path / "model" / "config.json", text | {"model_type": "clip", "text_config": text})
    files.write_json(tmp_path / "model" / "card.json", {})
    ship(tmp_path / "model", tmp_path / "shipped", {})
    text = {"model_type": "clip_text_model", "dtype": "float32"}
    assert models.validate.read_json(tmp_path / "shipped" / "config.json") == text | {"model_type": "clip", "text_config": text}


def test_a_controlnet(pipe, tmp_path):
    models.save_control(models.build_controlnet(pipe.unet).half(), tmp_path / "net", {})
    net = ControlNetModel.from_pretrained(tmp_path / "net")
    assert net.dtype == torch.float32 and on_disk(tmp_path / "net") == {torch.float16}
    draws(
        StableDiffusionControlNetPipeline(**pipe.components, controlnet=net, requires_safety_checker=False),
        image=torch.zeros(1, 3, 64, 64),
    )


def test_a_lora(folder, pipe, tmp_path):
    taught = models.load(folder, "cpu")
    with_lora(taught.unet, 2, 2)
    save_lora(taught, tmp_path / "lora")
    pipe.load_lora_weights(tmp_path / "lora")
    draws(pipe)


def test_a_word(pipe, tmp_path):
    row = pipe.text_encoder.get_input_embeddings().weight[:1]
    inversion.save(tmp_path / "run", "<zib>", row[0], {})
    files.write_json(tmp_path / "run" / "card.json", {})
    ship(tmp_path / "run", tmp_path / "word", {})
    with models.quiet():
        pipe.load_textual_inversion(tmp_path / "word")
    draws(pipe, "a <zib>")
