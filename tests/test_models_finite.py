"""Weights that are not finite are found when a file is opened, in whatever kind of file and dtype, and only then."""

import os

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from edu_diffusion import models
from edu_diffusion.errors import EduError
from edu_diffusion.models import finite, weights

pytestmark = pytest.mark.fault("silent")

BAD = {"nan": float("nan"), "inf": float("inf"), "-inf": -float("inf")}
FILES = ["unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]
DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]


@pytest.fixture
def root(tmp_path):
    return tiny.saved(tmp_path / "tiny")


def damage(path, value=float("nan")):
    """Put a number in the middle of a file's largest tensor; return the tensor's name."""
    named = load_file(path)
    name = max(named, key=lambda key: named[key].numel())
    named[name].view(-1)[named[name].numel() // 2] = value
    save_file(named, path, {"format": "pt"})
    for card in (path.parent / "card.json", path.parents[1] / "card.json"):
        card.unlink(missing_ok=True)  # its checksums
    return name


def refused(call, *words):
    with pytest.raises(EduError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and all(word in text for word in ("numbers that are not finite", *map(str, words)))


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
@pytest.mark.parametrize("name", FILES)
def test_a_pipeline_names_the_tensor_and_the_file(root, name, value):
    bad = damage(root / name, value)
    refused(lambda: models.load(root, "cpu"), root / name, bad)


def test_a_single_file(root, tmp_path):
    path = models.to_single_file(models.load(root, "cpu"), tmp_path / "all.safetensors")
    bad = damage(path)
    refused(lambda: models.load(path, "cpu"), path, bad)


def test_a_controlnet(tmp_path, pipe):
    models.save_control(models.build_controlnet(pipe.unet), tmp_path / "net", {})
    bad = damage(tmp_path / "net" / "diffusion_pytorch_model.safetensors")
    refused(lambda: models.load_control(tmp_path / "net", "cpu"), bad)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_kind_of_number(tmp_path, dtype):
    path = tmp_path / "x.safetensors"
    good = {"w": torch.linspace(-200, 200, 1001).to(dtype), "empty": torch.ones(0, dtype=dtype), "ids": torch.arange(3)}
    save_file(good, path)
    assert set(weights.header(path)) == {"w", "empty", "ids"}
    for value in BAD.values() if dtype != torch.float8_e4m3fn else [BAD["nan"]]:  # that one has no infinity
        good["w"][500] = torch.tensor(value).to(dtype)
        save_file(good, path)
        os.utime(path, ns=(0, 0))  # a clock may be coarse
        refused(lambda: weights.header(path), "w")


def test_the_largest_numbers_are_finite(tmp_path):
    ends = {str(kind): torch.tensor([torch.finfo(kind).min, torch.finfo(kind).max], dtype=kind) for kind in DTYPES}
    save_file(ends, tmp_path / "x.safetensors")
    assert weights.header(tmp_path / "x.safetensors").keys() == ends.keys()


def test_a_mask_may_be_infinite(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"model.attn_mask": torch.full((3, 3), -float("inf"))}, path)
    assert weights.header(path)


def test_a_file_is_read_once_and_again_when_it_has_changed(root, monkeypatch):
    path, read = root / FILES[0], []
    monkeypatch.setattr(finite, "finite", lambda tensor, true=finite.finite: read.append(1) or true(tensor))
    for _ in range(3):
        weights.header(path)
    assert len(read) == len(load_file(path))
    damage(path)
    for _ in range(2):  # a bad file is never remembered as a good one
        refused(lambda: weights.header(path), path)
