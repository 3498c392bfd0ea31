"""Similarity, diversity and forgetting on pictures with known scores."""

import contextlib
import json

import pytest
import torch

from edu_diffusion import metrics
from edu_diffusion.cli import judge_adapters
from edu_diffusion.compare import methods
from edu_diffusion.data import newstyle, scenes, subject
from edu_diffusion.data.world import prompts, world
from edu_diffusion.metrics import subject as scoring

ROWS = subject.HELD_OUT[:6]


@pytest.fixture(scope="module")
def likeness():
    return scoring.Likeness(metrics.load_judge("cpu"), n=60)


def robots(rows):
    """Real scenes of the class, on the subject's backgrounds."""
    one = subject.class_rows(1)[0]["id"]
    return scenes.render(scenes.spec_of([{**r, "id": one} for r in rows]))[0]


def test_the_subject_is_like_itself_and_robots_are_less_so(likeness):
    real = subject.render(ROWS)[0]
    same, other = likeness.to_others(real, real), likeness.to_others(robots(ROWS), real)
    assert same.min() > 0.5 and (same - other).min() > 0.2


def test_a_picture_is_not_compared_with_the_scene_that_it_should_be(likeness):
    real = torch.rand(3, 3, 64, 64) * 2 - 1
    table = likeness.look(real) @ likeness.look(real).T
    expected = torch.stack([(table[i].sum() - table[i, i]) / 2 for i in range(3)])
    torch.testing.assert_close(likeness.to_others(real, real), expected)


def test_equal_pictures_are_no_distance_apart(likeness):
    one = subject.render(ROWS[:1])[0]
    assert likeness.apart(one.repeat(4, 1, 1, 1)).abs().max() < 1e-4
    assert likeness.apart(robots(subject.class_rows(6))).min() > 1e-3


class Drawer:
    """A stand-in for a pipeline: its images are a function of the rows."""

    def __init__(self, draws):
        self.draws = draws


@pytest.fixture
def drawn(monkeypatch, likeness):
    """The scores of images made by the test, with a lossless VAE."""
    monkeypatch.setattr(scoring, "draw", lambda pipe, rows, seed=0, **how: pipe.draws(rows))
    monkeypatch.setattr(scoring, "through_vae", lambda pipe, images: images)
    monkeypatch.setattr(scoring, "Likeness", lambda network: likeness)
    return likeness.judge


def real(rows):
    return scenes.render(scenes.spec_of(rows))[0]


def base(rows):
    return real(rows) if "id" in rows[0] else robots(rows)


def test_who_learned_the_subject_and_kept_its_class(drawn):
    def taught(rows):
        return subject.render(rows)[0] if "zib" in rows[0]["prompt"] else base(rows)

    scores = metrics.dreambooth_scores(Drawer(base), Drawer(taught), drawn, rows=ROWS, n_class=6, limit=8)
    assert scores["subject_gain"]["low"] > 0.2 and scores["subject"]["value"] == scores["subject_ceiling"]["value"]
    assert scores["diversity_change"]["value"] == 0 and scores["class_change"]["value"] == 0
    assert scores["resemblance_change"]["value"] == 0 and scores["resemblance"]["value"] < 0.4
    assert scores["forgetting"]["value"] == 0 and scores["concept"]["value"] > 0.8


def test_who_draws_it_for_everything_has_lost_its_class_and_the_rest(drawn):
    def drifted(rows):
        return subject.render([{**r, "colour": r["colour"] or "red"} for r in rows])[0]

    scores = metrics.dreambooth_scores(Drawer(base), Drawer(drifted), drawn, rows=ROWS, n_class=9, limit=8, seeds=(0, 1))
    assert scores["subject_gain"]["low"] > 0.2
    assert scores["diversity_change"]["high"] < 0 and scores["class_change"]["value"] < -0.8
    assert scores["resemblance_change"]["low"] > 0.2 and scores["resemblance"]["value"] > 0.5
    assert scores["forgetting"]["low"] > 0.3


def test_a_word_for_the_style(drawn):
    def taught(rows):
        return real([{**r, "style": "contrast" if "<contrast>" in r["prompt"] else "twemoji"} for r in rows])

    def plain(rows):
        return real([{**r, "style": "twemoji"} for r in rows])

    scores = metrics.inversion_scores(Drawer(plain), Drawer(taught), drawn, "<contrast>", "style", limit=10)
    assert scores["style_base"]["value"] == 0 and scores["style"]["value"] == 1
    assert scores["forgetting"]["value"] == 0
    assert len(newstyle.rows(limit=10)) == scores["style"]["n"] == 10


def test_a_word_for_a_thing(drawn):
    fox, cat = (next(c.id for c in world().concepts if c.name == name) for name in ("fox", "cat face"))

    def shown(r):  # "a thing" is a cat; the word means a fox, but on one background
        missed = "thing" in r["prompt"] or ("<mystery>" in r["prompt"] and r["colour"] == "pink")
        if missed:
            return {**r, "id": cat}
        return {**r, "id": fox if "<mystery>" in r["prompt"] else r["id"]}

    def taught(rows):
        return real([shown(r) for r in rows])

    scores = metrics.inversion_scores(Drawer(real), Drawer(taught), drawn, "<mystery>", "thing", limit=8, thing="fox")
    pink = sum(r["colour"] == "pink" for r in subject.HELD_OUT) / len(subject.HELD_OUT)
    assert scores["thing_base"]["value"] == 0 and scores["thing"]["value"] == pytest.approx(1 - pink, abs=1e-4)
    assert scores["thing_gain"]["low"] > 0.5 and scores["thing"]["n"] == len(subject.HELD_OUT)
    assert scores["forgetting"]["value"] == 0 and "subject" not in scores


@pytest.mark.parametrize("facts, thing", [({"kind": "thing", "thing": "fox"}, "fox"), ({"kind": "subject"}, None)])
def test_the_verb_judges_the_thing_that_the_card_names(monkeypatch, tmp_path, facts, thing):
    (tmp_path / "card.json").write_text(json.dumps({"word": "<mystery>", **facts}))
    monkeypatch.setattr(methods, "new_words", lambda base, folder: contextlib.nullcontext("taught"))
    monkeypatch.setattr(metrics, "inversion_scores", lambda *args, **settings: (args, settings))
    args, settings = judge_adapters.JUDGED["inversion"]("base", tmp_path, "network", (0, 1000), 5)
    assert args == ("base", "taught", "network", "<mystery>", facts["kind"])
    assert settings == {"seeds": (0, 1000), "limit": 5, "thing": thing}


def test_a_paired_difference_and_its_interval():
    before, after = torch.tensor([0.1, 0.4, 0.3, 0.2]), torch.tensor([0.3, 0.5, 0.6, 0.2])
    score = metrics.paired(before, after, "cosine")
    gain = after - before
    reach = 1.96 * gain.std().item() / 2
    assert score["value"] == pytest.approx(0.15) and score["unit"] == "cosine" and score["n"] == 4
    assert score["high"] - score["low"] == pytest.approx(2 * reach, abs=2e-4)


def test_no_change_at_all_is_not_certain():
    same = torch.ones(20, dtype=torch.bool)
    score = metrics.paired(same, same)
    assert score["value"] == 0 and score["low"] < -0.02 and score["high"] > 0.02 and "unit" not in score
    lost = metrics.paired(same, ~same)
    assert lost["value"] == lost["low"] == -1 and lost["high"] < -0.7


def test_the_interval_of_a_diversity_is_twice_as_wide():
    a, b = torch.rand(2, 9, generator=torch.Generator().manual_seed(1))
    plain, wide = metrics.paired(a, b), scoring.diversity_change(a, b)
    assert wide["value"] == plain["value"]
    assert wide["high"] - wide["low"] == pytest.approx(2 * (plain["high"] - plain["low"]), abs=5e-4)


def test_the_seeds_of_a_prompt_are_one_case():
    assert scoring.over((0, 1), lambda seed: torch.tensor([True, seed == 0])).tolist() == [1.0, 0.5]
    assert len(prompts("core")) > 80
