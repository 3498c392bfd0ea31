"""The command `judge open`: the arguments of each metric, its output and what it stores."""

import json

import pytest

from edu_diffusion import metrics, models
from edu_diffusion.cli import cards
from edu_diffusion.cli import judge as judging

SCORE = {"value": 0.5, "n": 2, "low": 0.25, "high": 0.75}
FUNCTIONS = ("calibration", "variety", "by_steps", "quality", "choose", "plain_call", "effect", "habits")
CALLED = {name: f"{name}_scores" for name in ("calibration", "variety", "quality")}  # their modules have the short names


@pytest.fixture
def asked(monkeypatch):
    """Every metric gives one score of its own name; returns the arguments of each."""
    got = {}
    for name in FUNCTIONS:
        monkeypatch.setattr(
            metrics, CALLED.get(name, name), lambda pipe, network, name=name, **how: got.update({name: how}) or {name: SCORE}
        )
    monkeypatch.setattr(models, "load", lambda name: name)
    monkeypatch.setattr(metrics, "load_judge", lambda: "judge")
    return got


def test_all_measures_are_taken_and_printed(asked, capsys):
    judging.main(["open"])
    assert sorted(asked) == sorted(FUNCTIONS) == sorted(line.split()[0] for line in capsys.readouterr().out.splitlines())
    assert (asked["calibration"]["seeds"], asked["variety"]["seeds"], asked["habits"]["seeds"]) == (300, 8, 64)
    assert len(asked["calibration"]["rows"]) == 20 and len(asked["habits"]["rows"]) > 20 and asked["by_steps"]["n"] == 2000


def test_a_quick_look_is_narrow(asked, capsys):
    judging.main(["open", "--only", "calibration", "steps", "--seeds", "5", "--limit", "3", "--pictures", "300", "--batch", "9"])
    assert sorted(asked) == ["by_steps", "calibration"] and capsys.readouterr().out.count("\n") == 2
    assert len(asked["calibration"]["rows"]) == 3 and asked["calibration"]["seeds"] == 5
    assert asked["by_steps"] == {"n": 300, "batch": 9}


def test_scores_are_put_among_those_that_are_stored(asked, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(models, "path_of", lambda name: tmp_path)
    monkeypatch.setattr(cards, "write_card", written.append)
    (tmp_path / "metrics.json").write_text(json.dumps({"colour": SCORE, "quality": {"value": 0}}), encoding="utf-8")
    judging.main(["open", "--only", "quality"])
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["quality"] == {"value": 0} and not written
    judging.main(["open", "--only", "quality", "--write"])
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == {"colour": SCORE, "quality": SCORE}
    assert written == [tmp_path]


def test_the_other_verbs_still_take_three_seeds(monkeypatch):
    got = []
    monkeypatch.setattr(judging, "judge_drawing", lambda args: got.append(args.seeds))
    judging.main([])
    judging.main(["drawing", "--seeds", "1"])
    assert got == [3, 1]
