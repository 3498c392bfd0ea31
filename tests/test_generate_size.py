"""`generate --size`: the picture has that size and is the library's, wrong ones are a sentence, large ones are estimated first."""

from argparse import Namespace

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

import edu_diffusion
from edu_diffusion import models, steps
from edu_diffusion.cli import estimate, generate, infotext, main, size
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

PIPES = {"base": 0, "other": 1}


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `generate` in an empty folder with tiny models of random weights; return (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)
    load = lambda name, device, config=None: tiny.pipeline(seed=PIPES[name])
    monkeypatch.setattr(edu_diffusion, "models", Namespace(load=load), raising=False)
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def command(*words):
        code = main.main(["generate", *map(str, words), "--steps", "2"])
        return code, *capsys.readouterr()

    return command


def pixels(name):
    return np.asarray(Image.open(name))


@pytest.mark.parametrize("asked, shape", [("48", (48, 48)), ("64x40", (40, 64)), (" 40 x 64", (64, 40))])
def test_the_picture_is_the_librarys_of_that_size(run, asked, shape):
    assert run("a cat", "--size", asked, "--seed", 3, "--out", "a.png")[0] == 0
    height, width = shape
    settings = {"height": height, "width": width, "num_inference_steps": 2, "guidance_scale": steps.GUIDANCE}
    want = tiny.vanilla(tiny.pipeline(), "a cat", [3], "pt", **settings)
    got = pixels("a.png")
    assert got.shape == (height, width, 3)
    assert np.abs(got - (want[0].permute(1, 2, 0).numpy() * 255)).max() < 1
    assert f"Size: {width}x{height}," in Image.open("a.png").text["parameters"]


def test_the_models_own_size_changes_nothing(run):
    run("a cat", "--out", "a.png"), run("a cat", "--size", 32, "--out", "b.png")
    assert (pixels("a.png") == pixels("b.png")).all()


@pytest.mark.parametrize("asked", ["500", "512x500", "0", "-64", "8200", "big", "512x", "512x512x512", "", "1e3", "64.0"])
def test_a_wrong_size_is_refused_in_words(run, asked, tmp_path):
    code, _, err = run("a cat", f"--size={asked}")
    assert code == 2 and "size must be a multiple of 8 from 8 to 8192, such as 512, or two as in 768x512 (width x height)" in err
    assert not list(tmp_path.iterdir())


def test_our_own_picture_is_drawn_in_its_size_again(run):
    run("a cat", "--size", "48x40", "--seed", 7, "--out", "a.png")
    _, out, _ = run("--from", "a.png", "--out", "b.png")
    assert (pixels("a.png") == pixels("b.png")).all() and out.count("\n") == 1
    run("--from", "a.png", "--size", 32, "--out", "c.png")
    assert pixels("c.png").shape == (32, 32, 3)


def test_another_model_draws_its_own_size_and_says_so(run):
    run("a cat", "--size", 48, "--out", "a.png")
    _, out, _ = run("--from", "a.png", "--model", "other", "--out", "b.png")
    assert pixels("b.png").shape == (32, 32, 3)
    assert "The picture has 48x48 pixels, and this model draws 32x32; --size asks for another size." in out
    run("--from", "a.png", "--model", "other", "--size", 48, "--out", "c.png")
    assert pixels("c.png").shape == (48, 48, 3)


def test_another_programs_size_is_not_followed_but_can_be_asked_for(run):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("parameters", "a cat\nSteps: 2, Seed: 1, Size: 48x40, Version: v1.9")
    Image.new("RGB", (8, 8)).save("theirs.png", pnginfo=info)
    assert "48x40 pixels; this model draws 32x32" in run("--from", "theirs.png", "--out", "a.png")[1]
    assert pixels("a.png").shape == (32, 32, 3)
    assert "this model draws" not in run("--from", "theirs.png", "--size", "48x40", "--out", "b.png")[1]


def test_a_damaged_size_in_our_own_text_is_passed_over():
    assert infotext.own_size({"Size": "x"}) == {} == infotext.own_size({})
    assert infotext.own_size({"Size": "64x32"}) == {"size": (32, 64)}


def test_a_large_picture_of_a_small_model_is_estimated_first():
    pipe = models.load("base", "cpu")
    settings = {"model": "base", "steps": 20, "guidance": 3.0, "size": (512, 768)}
    (sentence,) = estimate.sentences(pipe, settings, 1)
    assert sentence.startswith("1 picture of 768 x 512 pixels in float32: about ") and "(estimates)" in sentence
    assert not list(estimate.sentences(pipe, settings | {"size": (128, 128)}, 1))


def test_a_picture_too_large_for_memory_is_refused_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(models, "load", lambda *a, **k: pytest.fail("the weights were read"))
    monkeypatch.setattr(estimate, "free", lambda device=None: 10**9)
    with pytest.raises(EduError, match="1 picture of 8192 x 8192 pixels in float32 takes about"):
        generate.make(asked(size="8192"))


def asked(**given):
    names = ("source", "seed", "negative", "model", "out", "config")
    return Namespace(
        **{
            **dict.fromkeys(names),
            "prompt": "a cat",
            "steps": 1,
            "guidance": 1.0,
            "device": "cpu",
            "school": False,
            "scale": 1,
            **given,
        }
    )


def test_noise_of_a_size_is_that_of_the_library():
    pipe = tiny.pipeline()
    want = torch.randn(1, 4, 10, 6, generator=torch.Generator().manual_seed(5))
    assert torch.equal(size.noise(pipe, 5, (40, 24)), want) and size.noise(pipe, 5, size.own(pipe)) is None
