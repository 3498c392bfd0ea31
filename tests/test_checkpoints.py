"""What is shipped: the cards say what was measured, the files are what the cards list, the bytes keep their budget."""

import json
import re

import pytest

from edu_diffusion import cards
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

ROOT = files.PACKAGE / "checkpoints"
BASE = ROOT / "base"
METRICS = json.loads((BASE / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["base", "judge"])
def test_the_card_lists_every_file_with_its_checksum(name):
    card = json.loads((ROOT / name / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == files.checksums(ROOT / name)


def test_the_card_is_what_its_numbers_make_of_it():
    template = (ROOT / "base.card.md").read_text(encoding="utf-8")
    assert (BASE / "README.md").read_text(encoding="utf-8") == cards.fill(template, cards.numbers(BASE))


def test_every_share_in_the_card_is_a_metric():
    shares = re.findall(r"[\d.]+ % \[[\d.]+, [\d.]+\], n = \d+", (BASE / "README.md").read_text(encoding="utf-8"))
    assert len(shares) > 15 and set(shares) <= {cards.text(v) for v in METRICS.values()}


def test_a_number_that_nobody_measured_is_refused():
    with pytest.raises(EduError, match="beauty"):
        cards.fill("beauty: {{beauty}}", {"colour": "1"})


def test_the_bytes_keep_their_budget():
    sizes = [p.stat().st_size for p in ROOT.rglob("*") if p.is_file()]
    assert sum(sizes) <= 40 << 20 and max(sizes) <= 15 << 20


# The other bars of the first slice, concept 75 % and held-out pairs 60 %, are not reached yet: see the card.
@pytest.mark.parametrize("name, bar", [("colour", 0.92), ("core_concept_top1", 0.45), ("heldout_pairs", 0.25)])
def test_the_base_does_not_fall_behind(name, bar):
    assert METRICS[name]["value"] >= bar


def test_the_table_of_checkpoints_names_each():
    table = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"`{p.name}`" in table for p in ROOT.iterdir() if p.is_dir())
