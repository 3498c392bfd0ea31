"""Calibration and variety of stand-ins with a known distribution: the world's own, a narrow one, one without habits."""

import itertools
import sys

import pytest
import torch

from edu_diffusion import metrics
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts, world
from edu_diffusion.metrics.calibration import distance, expected, histograms, memberships, single, unsaid
from edu_diffusion.metrics.text_to_image import said
from edu_diffusion.metrics.variety import within

ROW = dict.fromkeys(prompts()[0], "") | {"split": "open", "tier": "core", "prompt": "a thing"}
GHOST = ROW | {"id": "1f47b", "prompt": "a ghost"}


@pytest.fixture(scope="module")
def network():
    return metrics.load_judge("cpu")


@pytest.fixture
def paints(monkeypatch):
    """Let every draw() of these modules return real scenes of a stand-in, (rows, rng) -> Spec; with a lossless VAE."""
    calibration, variety = (sys.modules[f"edu_diffusion.metrics.{name}"] for name in ("calibration", "variety"))

    def use(painter):
        def draw(pipe, rows, seed=0, *how, **more):
            rng = torch.Generator().manual_seed(seed)
            return scenes.render(painter(rows, rng), rng)[0]

        monkeypatch.setattr(calibration, "through_vae", lambda pipe, images: images)
        monkeypatch.setattr(calibration, "draw", draw)
        monkeypatch.setattr(variety, "draw", draw)

    return use


def the_worlds_own(rows, rng):
    parts = [world().sample(len(list(same)), rng, **said(row)) for row, same in itertools.groupby(rows)]
    return single([torch.cat(column) for column in zip(*parts)])


def always_the_same(rows, rng):
    spec = the_worlds_own(rows[:1], torch.Generator().manual_seed(1))
    return scenes.Spec(*(part.expand(len(rows)) for part in spec))


def without_habits(rows, rng):
    spec = the_worlds_own(rows, rng)
    return spec._replace(colour=torch.randint(len(scenes.COLOURS), (len(rows),), generator=rng))


def test_what_is_drawn_as_the_world_has_it_is_calibrated(paints, network):
    paints(the_worlds_own)
    scores = metrics.calibration_scores(None, network, rows=[ROW | {"colour": "pink"}, GHOST], seeds=150)
    assert scores["calibration"]["n"] == 2 and scores["calibration_floor"]["value"] < 0.15
    assert abs(scores["calibration_excess"]["value"]) < 0.03
    assert scores["calibration_colour"]["n"] == scores["calibration_category"]["n"] == 1 and scores["calibration_style"]["n"] == 2
    assert not any("concept" in name for name in scores)


def test_one_picture_for_every_seed_is_not(paints, network):
    paints(always_the_same)
    scores = metrics.calibration_scores(None, network, rows=[ROW, GHOST], seeds=60)
    assert all(scores[f"calibration_{part}"]["value"] > 0.45 for part in ("colour", "style", "size", "place"))
    assert scores["calibration_excess"]["value"] > 0.4


def test_a_habit_that_is_missed_shows_in_its_attribute_alone(paints, network):
    (habit,) = [h for h in world().habits if h["id"] == GHOST["id"]]
    assert habit["attribute"] == "colour"
    paints(without_habits)
    scores = metrics.calibration_scores(None, network, rows=[GHOST], seeds=300)
    assert scores["calibration_colour_excess"]["value"] > 0.15 and abs(scores["calibration_style_excess"]["value"]) < 0.08


def test_distance_of_two_distributions():
    assert distance(torch.tensor([0.5, 0.5]), torch.tensor([0.5, 0.25, 0.25])) == pytest.approx(0.25)
    assert distance(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1 and distance(torch.ones(1), torch.ones(1)) == 0


def test_what_a_prompt_leaves_unsaid():
    assert unsaid(ROW) == ["colour", "style", "size", "place", "category"]
    assert unsaid(GHOST | {"size": "big"}) == ["colour", "style", "place"]
    assert unsaid(ROW | {"category": "animal", "place": "left", "colour": "red"}) == ["style", "size"]


def test_a_concept_counts_for_its_categories_in_equal_shares():
    cat = world().by_id["1f431"].index
    assert len(world().categories_of(cat)) > 1
    assert memberships().sum(1).allclose(torch.ones(len(world().concepts)))
    others = dict.fromkeys(("colour", "style", "size", "place"), torch.tensor([0]))
    seen = histograms(others | {"concept": torch.tensor([[cat]])})
    assert seen["category"].count_nonzero() == len(world().categories_of(cat)) and seen["category"].sum() == pytest.approx(1)
    assert all(expected(ROW)[part].sum() == pytest.approx(1, abs=1e-5) for part in ("colour", "place", "category"))


def test_the_prompts_of_calibration_leave_two_attributes_open_and_exist():
    rows = metrics.open_prompts()
    assert len(rows) == 20 and all(len(unsaid(row)) >= 2 for row in rows)
    assert all(torch.isfinite(expected(row)["colour"]).all() for row in rows) and rows[0] == prompts("core", "open")[0]


def test_variety_of_one_picture_and_of_the_world(paints, network):
    paints(always_the_same)
    scores = metrics.variety_scores(None, network, rows=[ROW, GHOST], seeds=4)
    assert scores["variety_pixels"]["value"] < 0.05 < 0.5 < scores["variety_pixels_real"]["value"]  # backgrounds jitter
    assert scores["variety_features"]["value"] < 0.3 * scores["variety_features_real"]["value"]
    paints(the_worlds_own)
    scores = metrics.variety_scores(None, network, rows=[ROW, GHOST], seeds=4)
    assert scores["variety_pixels"]["value"] > 0.5 and scores["variety_pixels"]["n"] == 2


def test_the_distance_within_a_group_is_the_mean_over_its_pairs():
    x = torch.tensor([0.0, 0.0, 3.0, 1.0, 1.0, 1.0])[:, None].expand(-1, 4)
    assert within(x, 3).tolist() == pytest.approx([2.0, 0.0])
