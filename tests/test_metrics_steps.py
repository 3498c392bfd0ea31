"""Steps and quality, of images with known defects."""

import sys

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from edu_diffusion import metrics
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts
from edu_diffusion.metrics.quality import backgrounds, measured

STEPS, QUALITY = (sys.modules[f"edu_diffusion.metrics.{name}"] for name in ("steps", "quality"))


@pytest.fixture(scope="module")
def network():
    return metrics.load_judge("cpu")


def test_a_blur_is_farther_from_real_scenes_than_real_scenes_are(monkeypatch, network):
    def draw(pipe, rows, seed, guidance, n_steps, batch):
        images = scenes.batch(len(rows), 99).images
        return images if n_steps == 20 else interpolate(avg_pool2d(images, 16 // n_steps), scale_factor=16 // n_steps)

    monkeypatch.setattr(STEPS, "draw", draw)
    scores = metrics.by_steps(None, network, counts=(1, 4, 20), n=300, resamples=8)
    one, four, twenty = (scores[f"steps_{k}"] for k in (1, 4, 20))
    assert one["value"] > four["value"] > 0 and four["low"] > 0
    assert twenty["low"] < 0.15 and abs(twenty["value"]) < 0.3 * four["value"] and scores["steps_1_over_20"]["value"] > 3
    assert "steps_20_over_20" not in scores


def painted(monkeypatch, change):
    """Quality of true scenes, changed; with a lossless VAE."""
    rows = prompts("core", "full")[:12]
    images, masks = scenes.render(scenes.spec_of(rows))
    monkeypatch.setattr(QUALITY, "through_vae", lambda pipe, images: images + 0.0)
    monkeypatch.setattr(QUALITY, "draw", lambda *how: change(images.clone(), masks))
    return metrics.quality_scores(None, metrics.load_judge("cpu"), rows=rows)


def test_quality_counts_the_noise_in_the_sprite_and_the_mottle_outside(monkeypatch):
    rng = torch.Generator().manual_seed(0)
    scores = painted(monkeypatch, lambda x, mask: x + torch.where(mask, 0.08, 0.04) * torch.randn(x.shape, generator=rng))
    assert scores["quality_as_asked"]["value"] == 1 and scores["quality_as_asked"]["n"] == 12
    assert scores["quality"]["value"] == pytest.approx(-20 * torch.tensor(0.04).log10().item(), abs=0.3)
    assert scores["mottle"]["value"] == pytest.approx(0.04 * 127.5, rel=0.05) and scores["colour_off"]["value"] < 1
    assert scores["mottle_vae"]["value"] == scores["colour_off_vae"]["value"] == 0


def test_a_background_of_another_shade_is_off_but_not_mottled(monkeypatch):
    scores = painted(monkeypatch, lambda x, mask: torch.where(mask, x, x - 10 / 127.5))
    assert scores["colour_off"]["value"] == pytest.approx(10, abs=0.01) and scores["mottle"]["value"] < 0.01
    assert scores["quality"]["value"] > 60


def test_only_what_is_drawn_as_asked_is_measured(monkeypatch):
    def half_wrong(images, masks):
        images[::2] = images.roll(1, 0)[::2]
        return images

    scores = painted(monkeypatch, half_wrong)
    assert scores["quality_as_asked"]["value"] == 0.5 and scores["quality"]["n"] == 6
    none = painted(monkeypatch, lambda x, mask: x.roll(1, 0))
    assert none.keys() == {"quality_as_asked", "quality_vae", "mottle_vae", "colour_off_vae"}


def test_a_picture_without_background_has_none_to_measure():
    full, half = torch.ones(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    half[..., :32] = 1
    uneven, off = backgrounds(torch.zeros(2, 3, 64, 64), torch.cat([full, half]).bool(), torch.tensor([0, 0]))
    assert len(uneven) == len(off) == 1 and uneven[0] == 0
    assert measured(*[torch.zeros(1)] * 4, torch.tensor([False])) == {}
