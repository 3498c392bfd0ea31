"""What `generate` says and refuses before it starts: memory and minutes of a large model, the memory of a large scale."""

import argparse

import pytest
import real
import torch

from edu_diffusion import models
from edu_diffusion.cli import estimate, generate
from edu_diffusion.cli.main import main
from edu_diffusion.errors import EduError

SETTINGS = {"model": "base", "steps": 2, "guidance": 3.0}


@pytest.fixture
def large(monkeypatch):
    """Every model counts as a large one."""
    monkeypatch.setattr(estimate, "LARGE", 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("large") / "sd15"
    real.sd15().save_pretrained(root)
    return root


def with_free(monkeypatch, room):
    monkeypatch.setattr(estimate, "free", lambda device=None: room)


def test_a_small_model_is_drawn_without_a_word(capsys):
    pipe = models.load("base", "cpu")
    assert not list(estimate.sentences(pipe, SETTINGS, 1))


def test_a_large_model_says_memory_and_time(large):
    pipe = models.load("base", "cpu")
    (sentence,) = estimate.sentences(pipe, SETTINGS, 1)
    assert sentence.startswith("1 picture of 64 x 64 pixels in float32: about 0.0 GB and ") and "(estimates)" in sentence


def test_it_is_refused_before_the_weights_are_read(large, folder, monkeypatch):
    monkeypatch.setattr(models, "load", lambda *a, **k: pytest.fail("the weights were read"))
    with_free(monkeypatch, models.plan(folder).peak - 1)
    with pytest.raises(EduError, match="1 picture of 64 x 64 pixels in float32 takes about .*are there: .*float16 would take"):
        generate.make(parsed(model=str(folder)))


def test_what_just_fits_is_not_refused(large, folder, monkeypatch):
    with_free(monkeypatch, models.plan(folder, steps=2).peak + 3 * 3 * 64 * 64)
    estimate.before({**SETTINGS, "model": str(folder)}, 1)


def test_a_file_larger_than_memory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "big.safetensors").write_bytes(bytes(2000))
    with_free(monkeypatch, 1999)
    with pytest.raises(EduError, match="big.safetensors alone has about 0.0 GB, and 0.0 GB are free; use a smaller model"):
        estimate.before({**SETTINGS, "model": str(tmp_path / "big.safetensors")}, 1)


def test_a_scale_above_memory_is_refused_from_the_command_line(monkeypatch, capsys, tmp_path):
    with_free(monkeypatch, 10**8)
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "a cat", "--scale", "64", "--steps", "1", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert "an image of 4096 x 4096 pixels takes about 0.2 GB, and 0.1 GB are free; use a smaller --scale" in error
    assert not list(tmp_path.glob("*.png"))


def test_a_model_that_does_not_exist_is_left_to_load():
    estimate.before({**SETTINGS, "model": "nowhere"}, 1)


def test_out_of_memory_while_drawing_is_a_sentence(monkeypatch, capsys, tmp_path):
    def full(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(generate, "draw", full)
    monkeypatch.chdir(tmp_path)
    assert main(["generate", "a cat", "--steps", "1", "--device", "cpu"]) == 2
    assert "There is not enough memory: 1 picture of 64 x 64" in capsys.readouterr().err


@pytest.mark.parametrize("seconds, words", [(0.2, "1 seconds"), (89, "89 seconds"), (600, "10 minutes")])
def test_times_in_words(seconds, words):
    assert estimate.minutes(seconds) == words


def test_the_speed_is_measured():
    assert estimate.speed("cpu", torch.float32) > 1e8


def parsed(**more):
    names = dict.fromkeys(
        ("prompt", "source", "seed", "steps", "guidance", "negative", "model", "device", "out", "school", "size", "config")
    )
    return argparse.Namespace(**{**names, "prompt": "a cat", "scale": 1, **more})
