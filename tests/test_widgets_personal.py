"""The explorer of personal models and the figure of the comparison, without a browser."""

import pytest
import torch
from look import pixels
from tiny import pipeline

from edu_diffusion import figures
from edu_diffusion.steps import decode, generate
from edu_diffusion.widgets import PersonalExplorer

SCORES = [{"value": 0.5, "low": 0.4, "high": 0.6}, None, {"value": -0.2, "low": -0.3, "high": -0.1}]


def test_every_model_draws_the_same_prompt():
    pipes = {"before": pipeline(), "after": pipeline(seed=1)}
    explorer = PersonalExplorer(pipes, "a cat", steps=2)
    first = explorer.figure()
    assert first.alt == "a cat, seed 0, drawn by: before, after."
    explorer._controls["seed"].value = 7
    assert "seed 7" in explorer.picture.alt and explorer.picture.png != first.png
    *_, last = generate(pipes["after"], "a cat", seed=7, steps=2)
    pictures = [decode(pipes[name], state.z_s) for name, state in
                ((name, list(generate(pipe, "a cat", seed=7, steps=2))[-1]) for name, pipe in pipes.items())]
    expected = figures.row(torch.cat(pictures), ["before", "after"], "x", 3)
    assert explorer.picture.png == expected.png and torch.equal(pictures[1], decode(pipes["after"], last.z_s))


def test_a_model_is_needed():
    with pytest.raises(ValueError, match="no model to draw with"):
        PersonalExplorer({}, "a cat")


def test_the_comparison_in_dots_and_in_words():
    picture = figures.compared(["one", "two", "three"], {"gained": SCORES, "lost": SCORES[::-1]}, " points")
    assert picture.alt == ("3 methods. gained: one 0.50 points (0.40 to 0.60), three -0.20 points (-0.30 to -0.10). "
                           "lost: one -0.20 points (-0.30 to -0.10), three 0.50 points (0.40 to 0.60).")
    moved = [{**SCORES[0], "high": 0.9}, *SCORES[1:]]
    assert figures.compared(["one", "two", "three"], {"gained": moved, "lost": SCORES[::-1]}).png != picture.png


def test_a_score_for_each_method_is_needed():
    with pytest.raises(ValueError, match="'gained' has not one score for each of 2"):
        figures.compared(["one", "two"], {"gained": SCORES})


def test_a_long_name_is_not_cut_off():
    picture = figures.compared(["DreamBooth, no prior at all", "two", "three"], {"gained": SCORES})
    seen = pixels(picture)
    assert (seen[:, :3] == 255).all() and (seen[:, :80] < 128).any()
