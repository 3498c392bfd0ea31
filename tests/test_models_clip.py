"""What load_clip() accepts and refuses: the library would fill missing weights with random numbers."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from edu_diffusion import models
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

SHIPPED = files.PACKAGE / "checkpoints" / "clip"


@pytest.fixture
def copy(tmp_path):
    """A copy to break, without its checksums."""
    return shutil.copytree(SHIPPED, tmp_path / "copy", ignore=shutil.ignore_patterns("card.json"))


def refused(where, words):
    with pytest.raises(EduError) as caught:
        models.load_clip(where, "cpu")
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda named: named.pop("visual_projection.weight"), "it lacks visual_projection.weight"),
        (lambda named: named.update(more=torch.zeros(3)), "it also has more"),
        (lambda named: named.update(logit_scale=torch.zeros(7)), "another shape for logit_scale (7,)"),
    ],
)
def test_tensors_must_be_those_of_the_configuration(copy, change, words):
    named = load_file(copy / "model.safetensors")
    change(named)
    save_file(named, copy / "model.safetensors", {"format": "pt"})
    refused(copy, words)


@pytest.mark.parametrize(
    "lost, words",
    [
        ("config.json", "There is no CLIP"),
        ("model.safetensors", "model.safetensors is missing"),
        ("tokenizer.json merges.txt", "merges.txt is missing"),
    ],
)
def test_an_incomplete_folder_is_refused(copy, lost, words):
    for name in lost.split():
        (copy / name).unlink()
    refused(copy, words)


def test_something_else_is_refused(copy):
    refused("nonsense", "There is no CLIP 'nonsense'")
    refused(files.PACKAGE / "checkpoints" / "base" / "unet", "holds another model")
    (copy / "model.safetensors").write_bytes(b"<html>404</html>")
    refused(copy, "is not a complete .safetensors file")


def test_a_foreign_tokenizer_is_refused(copy):
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (copy / name).unlink()
    models.build_tokenizer(["a cat"] * 30, 540).save_pretrained(copy)
    refused(copy, "the tokenizer knows 516 tokens")


def test_what_the_recipe_left_is_taken(tmp_path):
    for part, names in {
        "clip": ["config.json", "model.safetensors"],
        "tokenizer": ["tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"],
    }.items():
        (tmp_path / part).mkdir()
        for name in names:
            shutil.copy(SHIPPED / name, tmp_path / part)
    model, tokenizer = models.load_clip(tmp_path, "cpu")
    shipped, _ = models.load_clip(device="cpu")
    assert len(tokenizer) == json.loads((SHIPPED / "config.json").read_text())["text_config"]["vocab_size"]
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), shipped.state_dict().values()))
