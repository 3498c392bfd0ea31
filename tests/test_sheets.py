"""The contact sheets of tests/benchmarks/sheets.py: content and layout; no image is generated here."""

import argparse
import importlib.util
import pathlib

import pytest
import torch
from PIL import Image

from edu_diffusion.data import shapes

PATH = pathlib.Path(__file__).parent / "benchmarks" / "sheets.py"


class Pipe:
    """What a sheet needs of a pipeline besides sampling: its device, and the weights of its LoRA."""

    device = "cpu"

    def set_adapters(self, names, weights):
        self.weights = weights

    def unload_lora_weights(self):
        self.weights = None


@pytest.fixture
def sheets(monkeypatch):
    """The program, with grey pictures in place of drawings; `asked` has the settings of each row."""
    spec = importlib.util.spec_from_file_location("sheets", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.asked = []

    def draw(pipe, prompt, n=8, **settings):
        module.asked.append((prompt, n, {**settings, "weights": getattr(pipe, "weights", None)}))
        return torch.zeros(n, 3, 64, 64)

    def img2img(pipe, prompts, given, strength):
        module.asked.append((prompts[0], len(prompts), {"strength": strength}))
        yield None

    monkeypatch.setattr(module, "draw", draw)
    monkeypatch.setattr(module.steps, "final", lambda pipe, states: list(states) and torch.zeros(8, 3, 64, 64))
    monkeypatch.setattr(module.steps, "img2img", img2img)
    monkeypatch.setattr(module.models, "load_control", lambda name, device: name)
    monkeypatch.setattr(module.models, "load_lora", lambda pipe, name: pipe)
    return module


def rows(sheets, name):
    return sheets.SHEETS[name](argparse.Namespace(kind="canny"), Pipe())[1]


def test_there_are_six_and_every_row_says_what_it_is(sheets):
    assert list(sheets.SHEETS) == ["seeds", "steps", "guidance", "control", "lora", "img2img"]
    for name in sheets.SHEETS:
        title, labelled = sheets.SHEETS[name](argparse.Namespace(kind="canny"), Pipe())
        labels = [row.label for row in labelled]
        assert len(title) <= 100 and len(set(labels)) == len(labels)
        assert all(prompt in label for (prompt, *_), label in zip(sheets.asked[-len(labels) :], labels, strict=True)), name


def test_the_settings_of_the_rows(sheets):
    for name in ("steps", "guidance", "lora", "img2img"):
        rows(sheets, name)
    found = [(prompt, n, *settings.values()) for prompt, n, settings in sheets.asked]
    assert found[:10] == [(prompt, 8, n, None) for prompt in (sheets.OPEN, sheets.FULL) for n in (1, 2, 4, 10, 20)]
    assert found[10:18] == [(prompt, 16, g, None) for prompt in ("a ghost", "a cat") for g in (1, 2, 4, 8)]
    assert found[18:21] == [("a fox", 8, [weight]) for weight in (0, 0.5, 1)]
    assert found[21:] == [("a soccer ball", 8, strength) for strength in (0.2, 0.4, 0.6, 0.8, 1.0)]


def test_what_the_controlnet_is_shown(sheets):
    shown = [settings["control"].condition for *_, settings in (rows(sheets, "control") and sheets.asked)]
    names = [*["circle"] * 5, "star", "crescent"]
    assert torch.equal(torch.cat(shown), shapes.outline(names))
    assert [prompt for prompt, *_ in sheets.asked[:4]] == ["", "some food", "an animal", "a face"]
    assert len({prompt for prompt, *_ in sheets.asked[4:]}) == 1


def test_the_tomato_is_red_at_the_bottom_left_on_green(sheets):
    r, g, _ = sheets.tomato()[0]
    assert g[0, -1] > r[0, -1] and r[50, 16] > g[50, 16] + 0.5


def test_pictures_stand_in_order(sheets):
    """Each row's pictures in the row's grey, the last line of 16 below the first."""
    level = torch.linspace(-1, 1, 16)[:, None, None, None].expand(16, 3, 64, 64)
    image = sheets.sheet("A title", [sheets.Row("sixteen", level), sheets.Row("two", level[:2], level[0])])
    left = sheets.LABEL + sheets.EDGE + 4 * sheets.GAP
    top, pitch = sheets.TITLE + sheets.HEAD, sheets.EDGE + sheets.GAP
    greys = [image.getpixel((left + i % 8 * pitch + 64, top + i // 8 * pitch + 64))[0] for i in range(16)]
    assert greys == sorted(greys) and greys[0] == 0 and greys[-1] == 255
    assert image.getpixel((sheets.LABEL + 64, image.height - 80)) == (0, 0, 0), "what is given stands at the left"
    assert image.width == left + 8 * pitch + sheets.GAP


def test_a_file_is_made_small(sheets, tmp_path):
    noise = Image.effect_noise((512, 512), 80).convert("RGB")
    sheets.save(noise, tmp_path / "noise.png")
    sheets.save(Image.new("RGB", (512, 512)), tmp_path / "plain.png")
    colours = {name: len(Image.open(tmp_path / f"{name}.png").getcolors()) for name in ("noise", "plain")}
    assert colours["noise"] <= sheets.COLOURS[-1] and colours["plain"] == 1
