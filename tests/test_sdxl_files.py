"""Folders of Stable Diffusion 1.5, 2, XL and XL Turbo, as on a learner's disk: opened, or refused in one sentence."""

import json
import shutil

import pytest
import real
import safetensors.torch
import torch
from torch.testing import assert_close

from edu_diffusion import models, steps
from edu_diffusion.errors import EduError
from edu_diffusion.models import sdxl

PROMPT = "a red cat"
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as the published XL has it, read-only; see `copy`."""
    root = tmp_path_factory.mktemp("published") / "xl"
    real.sdxl().save_pretrained(root)
    return root


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "xl")


@pytest.mark.parametrize("build", [real.sd15, real.sd2, real.sdxl, lambda: real.sdxl(turbo=True)], ids=["1.5", "2", "xl", "turbo"])
def test_a_folder_draws_what_the_pipeline_draws(build, tmp_path):
    pipe = build()
    pipe.save_pretrained(tmp_path / "it")
    loaded = models.load(tmp_path / "it", "cpu")
    assert type(loaded) is type(pipe)
    settings = {"steps": 2, "guidance": 3.0, "seed": 4}
    assert_close(steps.draw(loaded, PROMPT, **settings), steps.draw(pipe, PROMPT, **settings))


def test_half_precision_files(tmp_path):
    real.sdxl().save_pretrained(tmp_path, variant="fp16")
    assert models.load(tmp_path, "cpu", torch.float16).unet.dtype == torch.float16


@pytest.mark.parametrize(
    "lost",
    [
        "text_encoder_2/model.safetensors",
        "tokenizer_2/tokenizer_config.json",
        "unet/config.json",
        "scheduler/scheduler_config.json",
    ],
)
def test_a_missing_file_is_named(copy, lost):
    (copy / lost).unlink()
    with pytest.raises(EduError, match=f"is not a complete Stable Diffusion XL folder: it lacks {lost}"):
        models.load(copy, "cpu")


def edited(root, name, **changes):
    path = root / name
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "name, changes, sentence",
    [
        ("model_index.json", {"_class_name": "StableDiffusionXLImg2ImgPipeline"}, "holds a StableDiffusionXLImg2ImgPipeline"),
        (
            "model_index.json",
            {"text_encoder": [None, None]},
            "its text_encoder is .*None.*; a Stable Diffusion XL with a CLIPTextModel",
        ),
        ("model_index.json", {"unet": ["strange", "UNet2DConditionModel"]}, "its unet is .*strange"),
        ("vae/config.json", {"latent_channels": 16}, "the U-Net has in_channels = 4, but .* need 16"),
        (
            "text_encoder_2/config.json",
            {"projection_dim": 81},
            "the U-Net has projection_class_embeddings_input_dim = 128, but .* need 129",
        ),
        ("unet/config.json", {"cross_attention_dim": 127}, "the U-Net has cross_attention_dim = 127"),
        ("unet/config.json", {"block_out_channels": [10**9] * 3}, "block_out_channels is"),
    ],
)
def test_parts_that_do_not_fit_are_refused_in_a_sentence(copy, name, changes, sentence):
    edited(copy, name, **changes)
    with pytest.raises(EduError, match=sentence):
        models.load(copy, "cpu")


def test_a_missing_tensor_is_named(copy):
    path = copy / "text_encoder_2" / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    lost = next(name for name in tensors if "text_projection" in name)
    safetensors.torch.save_file({name: x for name, x in tensors.items() if name != lost}, path, {"format": "pt"})
    with pytest.raises(EduError, match="text_encoder_2 does not match its configuration: it lacks text_projection"):
        models.load(copy, "cpu")


def test_what_cannot_be_done_with_xl_is_a_sentence(folder, tmp_path):
    pipe = models.load(folder, "cpu")
    for call in (lambda: models.save(pipe, tmp_path / "x"), lambda: models.to_single_file(pipe, tmp_path / "x.safetensors")):
        with pytest.raises(EduError, match="This is a Stable Diffusion XL, which has two text encoders: .*save_pretrained"):
            call()
    assert not list(tmp_path.iterdir())
    sdxl.refuse(real.sd2(), "never said")


def test_training_refuses_xl(folder):
    from edu_diffusion.train.frozen import Frozen

    with pytest.raises(EduError, match="This is a Stable Diffusion XL.*the recipes train Stable Diffusion 1 and 2"):
        Frozen(folder, "cpu")
