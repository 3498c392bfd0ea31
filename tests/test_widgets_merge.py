"""The merge explorer without a browser."""

import pytest
import torch
from tiny import pipeline, sd15

from edu_diffusion import models, steps
from edu_diffusion.widgets import MergeExplorer
from edu_diffusion.widgets.progress import finished


@pytest.fixture
def parents():
    return pipeline(seed=0), pipeline(seed=1)


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_the_images_are_those_of_the_merged_pipeline(parents, weight):
    explorer = MergeExplorer(*parents, "a cat", steps=2)
    images = finished(explorer.run("a cat", 3, weight))
    merged = models.merged(steps.weighted_sum, *parents, weight=weight)
    assert torch.allclose(images, steps.draw(merged, ["a cat"] * 4, seed=3, steps=2), atol=1e-4)


def test_the_weight_is_a_slider_and_the_parents_stay(parents):
    before = [{name: w.clone() for name, w in pipe.unet.state_dict().items()} for pipe in parents]
    explorer = MergeExplorer(*parents, "a cat", steps=2, names=("base", "ink"), weight=0.5)
    assert explorer.values == {"prompt": "a cat", "seed": 0, "weight": 0.5}
    first = explorer.figure()
    assert "0.50 base + 0.50 ink" in first.alt and "4 seeds" in first.alt
    explorer.controls["weight"].value = 1.5
    assert "-0.50 base + 1.50 ink" in explorer.picture.alt and explorer.picture.png != first.png
    assert explorer.message == "" and explorer.controls["weight"].description == "Weight of ink"
    for pipe, old in zip(parents, before):
        assert all(torch.equal(w, old[name]) for name, w in pipe.unet.state_dict().items())


def test_a_weight_that_was_drawn_is_not_drawn_again_unless_a_parent_changes(parents, monkeypatch):
    explorer, calls = MergeExplorer(*parents, "a cat", steps=2), []
    run = explorer.run
    monkeypatch.setattr(explorer, "run", lambda *asked: calls.append(asked) or run(*asked))
    first = explorer.figure().png
    assert explorer.figure().png == first and len(calls) == 1
    with torch.no_grad():
        parents[1].unet.conv_out.bias.add_(1)
    assert explorer.figure().png != first and len(calls) == 2


def test_models_of_two_kinds_are_refused(parents):
    with pytest.raises(ValueError, match="merge models of one kind"):
        MergeExplorer(parents[0], sd15())
