"""`judge lora` and so on: shipped adapters are complete, in half precision, and match their model cards."""

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from edu_diffusion import train
from edu_diffusion.cli import cards, judge, judge_adapters
from edu_diffusion.cli.ship import ship
from edu_diffusion.cli.shipped import ADAPTERS, card
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

ROOT = files.PACKAGE / "checkpoints"
THERE = [name for name in ADAPTERS if (ROOT / name).is_dir()]


@pytest.mark.parametrize("name", THERE)
def test_what_is_shipped_is_what_its_card_says(name):
    assert card(ROOT / name)["sha256"] == files.checksums(ROOT / name)
    template = (ROOT / f"{name}.card.md").read_text(encoding="utf-8")
    assert (ROOT / name / "README.md").read_text(encoding="utf-8") == cards.fill(template, cards.numbers(ROOT / name))


def test_everything_shipped_has_a_template_a_recipe_and_a_judge():
    for name, recipe in ADAPTERS.items():
        assert (ROOT / f"{name}.card.md").is_file()
        assert recipe in train.RECIPES and recipe in judge_adapters.JUDGED
    assert set(judge.ADAPTERS) == set(judge_adapters.JUDGED)


def left(folder, **facts):
    """The folder <run>/model that a recipe leaves."""
    folder.mkdir(parents=True)
    save_file({"w": torch.tensor([1.0, 2.0])}, folder / "weights.safetensors", {"rank": "8"})
    (folder / "config.json").write_text("{}")
    files.write_json(folder / "card.json", {"seed": 0, "sha256": {}, **facts})


def test_shipping_halves_the_weights_and_lists_every_file(tmp_path):
    left(tmp_path / "run" / "model")
    ship(tmp_path / "run" / "model", tmp_path / "new", {"hardware": "2 cores"})
    path = tmp_path / "new" / "weights.safetensors"
    assert load_file(path)["w"].dtype == torch.float16
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"rank": "8"}
    facts = card(tmp_path / "new")
    assert facts["hardware"] == "2 cores" and facts["seed"] == 0
    assert facts["sha256"] == files.checksums(tmp_path / "new") and set(facts["sha256"]) == {"config.json", path.name}


def test_shipping_writes_the_card_of_its_name_or_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PACKAGE", tmp_path)
    left(tmp_path / "model")
    files.write_json(tmp_path / "model" / "metrics.json", {"gain": {"value": 0.5, "n": 8}})
    template = tmp_path / "checkpoints" / "thing.card.md"
    template.parent.mkdir()
    template.write_text("seed {{seed}}, gained {{gain}} on {{hardware}}")
    ship(tmp_path / "model", tmp_path / "checkpoints" / "thing", {"hardware": "2 cores"})
    readme = tmp_path / "checkpoints" / "thing" / "README.md"
    assert readme.read_text() == "seed 0, gained 0.5, n = 8 on 2 cores"
    template.write_text("{{beauty}}")
    with pytest.raises(EduError, match="beauty"):
        ship(tmp_path / "model", readme.parent, {"hardware": "3 cores"})
    assert readme.read_text().endswith("2 cores") and card(readme.parent)["hardware"] == "2 cores"


def test_what_cannot_be_judged_is_a_sentence(tmp_path):
    with pytest.raises(EduError, match="There is no dreambooth in checkpoints: train one"):
        judge_adapters.located(None, "dreambooth")
    with pytest.raises(EduError, match="There is no lora in nowhere"):
        judge_adapters.located("nowhere", "lora")
    with pytest.raises(EduError, match="no card.json"):
        card(tmp_path)
    assert judge_adapters.located(str(tmp_path), "hyper") == tmp_path and judge_adapters.located(None, "aligned") is None


@pytest.mark.parametrize(
    "score, text",
    [
        ({"value": 0.5, "n": 80, "low": 0.4, "high": 0.6}, "50.0 % [40.0, 60.0], n = 80"),
        ({"value": 0.314, "n": 24, "low": 0.2, "high": 0.42, "unit": "cosine"}, "0.31 [0.20, 0.42] cosine, n = 24"),
        ({"value": 123456, "n": 1, "unit": "bytes"}, "123,456 bytes"),
        ({"value": 1234, "n": 1}, "1,234"),
        ({"value": 24.25, "n": 200, "unit": "dB"}, "24.2 dB, n = 200"),
    ],
)
def test_how_a_card_says_a_number(score, text):
    assert cards.text(score) == text
