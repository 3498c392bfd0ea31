"""Scores of editing: the arithmetic on known cases, and every score once, on a tiny pipeline."""

import pytest
import tiny
import torch

from edu_diffusion import steps
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts, world
from edu_diffusion.metrics import edit


class Ignorant(torch.nn.Module):
    """A judge that always predicts the same concept."""

    def forward(self, x):
        sizes = {"concept": len(world().concepts), "style": 4, "size": 3, "place": 9}
        return {k: torch.zeros(len(x), n, device=x.device) for k, n in sizes.items()}


def test_distances_that_rise_and_one_that_does_not():
    far = {0.2: torch.tensor([0.1, 0.2]), 0.6: torch.tensor([0.3, 0.4]), 0.4: torch.tensor([0.2, 0.5])}
    found = edit.further(far)
    assert found["edit_monotone"]["value"] == 0.5
    assert found["edit_distance_0.2"]["value"] == 0.15 and found["edit_distance_0.2"]["n"] == 2
    assert found["edit_further_0.4"]["value"] == pytest.approx(0.2)
    assert found["edit_further_0.6"]["value"] == pytest.approx(0.0)
    assert "edit_further_0.2" not in found


def test_the_box_holds_the_thing_and_whole_cells():
    scene = scenes.batch(20, seed=1)
    holes = edit.boxes(scene.masks)
    assert bool((holes >= scene.masks.float()).all()) and holes.unique().tolist() == [0, 1]
    cells = holes.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5))
    assert cells.unique().tolist() == [0, 1], "no cell is cut"
    assert 0.2 < holes.mean() < 0.9


def test_what_is_asked_for_is_the_next_rows_thing_on_this_rows_ground():
    rows = prompts("core", "full")[:5]
    told = edit.other_things(rows)
    assert [t["id"] for t in told] == [r["id"] for r in rows[1:] + rows[:1]]
    for row, t in zip(rows, told):
        assert t["colour"] == row["colour"] and t["place"] == row["place"]
        assert world().by_id[t["id"]].name in t["prompt"]


def test_untouched_means_every_bit():
    x, mask = torch.rand(2, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    mask[..., 4:] = 1
    y = steps.paste(x, -x, mask)
    assert edit.untouched(y, x, mask).tolist() == [True, True]
    y[1, 0, 0, 0] += 1e-6
    assert edit.untouched(y, x, mask).tolist() == [True, False]


def test_decibels_of_known_differences():
    black = -torch.ones(3, 3, 4, 4)
    other = torch.stack([black[0] + 2, black[0] + 0.2, black[0] + 0.02])
    assert edit.decibels(other, black).tolist() == pytest.approx([0.0, 20.0, 40.0], abs=1e-3)


@pytest.mark.filterwarnings("ignore:The prompt:UserWarning")  # the tiny tokenizer knows few words
def test_all_scores_of_a_tiny_pipeline():
    torch.manual_seed(0)
    found = edit.scores(tiny.pipeline(), seeds=(0, 1000), limit=3, judge=Ignorant(), n_steps=5)
    for name in ("edit_monotone", "inpaint_concept", "inpaint_untouched", "outpaint_untouched"):
        assert found[name]["n"] == 6, name
    assert found["inpaint_untouched"]["value"] == found["outpaint_untouched"]["value"] == 1
    assert found["inpaint_outside_unpasted"]["value"] > 0.01, "the decoder changes what it is not asked to"
    assert found["invert_psnr"]["n"] == 3 and found["invert_psnr"]["unit"] == "dB"
    assert found["invert_loss"]["value"] == pytest.approx(
        found["invert_psnr"]["value"] - found["invert_ceiling"]["value"], abs=2e-3
    )
    assert found["invert_longer_psnr"] != found["invert_psnr"]
    assert {f"edit_distance_{s:g}" for s in edit.STRENGTHS} <= set(found)
    assert all({"value", "n", "low", "high"} <= set(s) for s in found.values())
