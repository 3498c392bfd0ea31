"""The emoji world: promised sizes, no leakage of held-out data, files that match their checksums."""

import json

import pytest
import torch

from edu_diffusion.data import files, words
from edu_diffusion.data.world import prompts, read_csv, world


def test_the_vocabulary_is_as_large_as_promised():
    tiers = [c.tier for c in world().concepts]
    assert tiers.count("core") + tiers.count("wide") >= 900
    assert 180 <= tiers.count("core") <= 220 and tiers.count("heldout") == 50


def test_names_and_ids_are_unique():
    names, ids = ([getattr(c, key) for c in world().concepts] for key in ("name", "id"))
    assert len(set(names)) == len(names) and len(set(ids)) == len(ids)


def test_an_alias_points_to_one_core_concept():
    aliases = [a for c in world().concepts if c.tier == "core" for a in c.aliases]
    assert len(set(aliases)) == len(aliases) > 100
    assert not {c.name for c in world().concepts} & set(aliases)


@pytest.mark.parametrize("style", [*words.STYLES, words.NEW_STYLE])
def test_every_concept_is_drawn_in_every_style(style):
    alpha = world().sprites(style)[:, 3].flatten(1).float()
    assert len(alpha) == len(world().concepts) and (alpha.mean(1) > 10).all()


def test_the_styles_are_different_drawings():
    sheets = [world().sprites(style).float() for style in (*words.STYLES, words.NEW_STYLE)]
    for i, one in enumerate(sheets):
        for other in sheets[i + 1 :]:
            assert ((one - other).abs().mean((1, 2, 3)) > 1).float().mean() > 0.98


def test_premultiplied_colour_never_exceeds_alpha():
    sprites = world().sprites("noto", 42)
    assert (sprites[:, :3].int() <= sprites[:, 3:].int() + 1).all()


def test_five_percent_of_the_pairs_are_held_out():
    learned = torch.tensor([c.tier != "heldout" for c in world().concepts])
    for allowed in (world().colour_allowed, world().style_allowed):
        assert abs((~allowed[learned]).float().mean() - 0.05) < 0.002
    assert world().style_allowed.sum(1).min() >= 2  # a concept keeps two styles at least


SPLITS = {
    "full",
    "open",
    "category",
    "unseen_wording",
    "unknown_word",
    "aliases",
    "heldout_colour",
    "heldout_style",
    "counts",
    "pairs",
}


def names_of(row, concept):
    """What a prompt may call its concept."""
    if row["category"]:
        return (world().said[row["category"]],)
    if not concept:
        return ("thing",)
    return concept.aliases if row["split"] == "aliases" else (concept.name, words.plural(concept.name))


def test_the_frozen_prompts_say_what_their_columns_say():
    rows = prompts()
    assert {r["split"] for r in rows} == SPLITS
    assert all(len(prompts("core", split)) >= 100 for split in SPLITS - {"unknown_word"})
    for row in rows:
        if row["split"] in ("unseen_wording", "unknown_word"):
            continue
        assert not row["colour"] or row["colour"] in row["prompt"].split()
        assert not row["style"] or row["style"] in row["prompt"]
        concept = world().by_id.get(row["id"])
        assert concept is None or concept.tier == row["tier"]
        assert any(name in row["prompt"] for name in names_of(row, concept))


def test_full_prompts_name_everything_and_open_ones_leave_two_things_unsaid():
    parts = ("colour", "style", "size", "place")
    assert all(all(r[part] for part in parts) for r in prompts("core", "full"))
    assert all(sum(not r[part] for part in parts) >= 2 for r in prompts("core", "open"))


def test_the_prompts_hold_out_what_they_say():
    held = {(r["kind"], r["id"], r["value"]) for r in read_csv(world().root / "heldout.csv")}
    for row in prompts():
        if row["id"] and row["split"] not in ("unseen_wording", "unknown_word"):
            assert (("colour", row["id"], row["colour"]) in held) == (row["split"] == "heldout_colour")
            assert (("style", row["id"], row["style"]) in held) == (row["split"] == "heldout_style")


def test_learners_words_are_known_and_unknown_nouns_are_not():
    """A noun that no caption says is in the split that has no floor."""
    for row in prompts(split="unknown_word"):
        concept, spoken = world().by_id[row["id"]], row["prompt"].lower()
        assert not any(f" {name} " in f" {spoken} " for name in (concept.name, *concept.aliases))


def test_categories_hold_core_concepts_and_habits_are_not_held_out():
    assert len(world().categories) >= 12 and all(len(world().members(c)) >= 5 for c in world().categories)
    assert all(world().concepts[i].tier == "core" for c in world().categories for i in world().members(c).tolist())
    held = {(r["kind"], r["id"], r["value"]) for r in read_csv(world().root / "heldout.csv")}
    assert 25 <= len(world().habits) <= 40 and not {(h["attribute"], h["id"], h["value"]) for h in world().habits} & held


def test_the_files_are_the_ones_that_were_prepared():
    stored = json.loads((world().root / "checksums.json").read_text())
    assert stored.keys() >= {"noto.webp", "captions.csv", "heldout.csv", "prompts.csv"}
    assert {name: files.sha256(world().root / name) for name in stored} == stored
