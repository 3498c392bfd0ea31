"""Few steps, measured: the calls are counted as the U-Net is called, and the scores compare like with like."""

import pytest
import tiny
import torch

from edu_diffusion import metrics
from edu_diffusion.data import scenes
from edu_diffusion.metrics import few_steps
from edu_diffusion.metrics.few_steps import REFERENCE, Way
from edu_diffusion.train.lora import with_lora

# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
ROWS = [{"prompt": "a red cat"}, {"prompt": "a dog"}]


@pytest.fixture(scope="module")
def pipe():
    pipe = tiny.pipeline()
    pipe.set_progress_bar_config(disable=True)
    with_lora(pipe.unet, 2, 2)
    for name, p in pipe.unet.named_parameters():
        if ".lora_B." in name:
            p.data.fill_(0.1)
    return pipe


@pytest.mark.parametrize("way", few_steps.ways((1, 4)), ids=Way.name)
def test_a_way_takes_at_most_its_calls(pipe, way):
    called = []
    hook = pipe.unet.register_forward_pre_hook(lambda unet, args: called.append(len(args[0])))
    few_steps.draw(pipe, ROWS, way)
    hook.remove()
    for_one = sum(called) / len(ROWS)
    assert for_one <= way.calls and (for_one == way.calls or way.sampler == "Heun" or way.calls % 2)


def test_the_lora_is_on_where_asked_and_the_pipeline_as_before(pipe):
    own = pipe.scheduler
    plain, lora = (few_steps.draw(pipe, ROWS, Way("LCM", 1.0, 2, on)) for on in (False, True))
    assert not torch.equal(plain, lora) and pipe.scheduler is own
    pipe.disable_lora()
    assert torch.equal(few_steps.draw(pipe, ROWS, Way("LCM", 1.0, 2, False)), plain)
    pipe.enable_lora()


def test_an_image_does_not_depend_on_its_batch(pipe):
    way = Way("LCM", 1.0, 3, True)
    together, one = few_steps.draw(pipe, ROWS, way), few_steps.draw(pipe, ROWS, way, batch=1)
    assert torch.allclose(together, one, atol=1e-3)


def blurred(pipe, rows, way, seed):
    """In the place of draw: images of real scenes, the more blurred the fewer calls."""
    images, size = scenes.batch(len(rows), 99).images, {1: 16, 4: 4, 100: 2}[way.calls] // (2 if way.lora else 1)
    small = torch.nn.functional.avg_pool2d(images, size)
    return torch.nn.functional.interpolate(small, scale_factor=size)


def test_the_scores_compare_like_with_like(monkeypatch):
    monkeypatch.setattr(few_steps, "draw", blurred)
    free, worse = [Way("DDIM", 1.0, n) for n in (1, 4)], Way("UniPC", 1.0, 4)
    lora = [Way("LCM", 1.0, n, True) for n in (1, 4)]
    found = metrics.few_step_scores(None, metrics.load_judge("cpu"), [REFERENCE, *free, worse, *lora], n=300, limit=12)
    excess = {name: found[f"excess_{name}"]["value"] for name in ("ddim_1", "ddim_4", "lora_lcm_1", "lora_lcm_4")}
    assert excess["ddim_1"] > excess["lora_lcm_1"] > excess["ddim_4"] > excess["lora_lcm_4"]
    assert found["excess_over_lora_lcm_4"]["value"] == pytest.approx(excess["lora_lcm_4"] - excess["ddim_4"], abs=2e-3)
    assert found["excess_over_lora_lcm_1"]["high"] < 0
    ratio = excess["lora_lcm_1"] / found[f"excess_{REFERENCE.name()}"]["value"]
    assert found["excess_ratio_lora_lcm_1"]["value"] == pytest.approx(ratio, rel=0.02)
    assert found["concept_change_lora_lcm_4"]["n"] == 12 and found["concept_lora_lcm_4"]["n"] == 12


def test_calibration_is_that_of_the_way(pipe, monkeypatch):
    asked = []
    monkeypatch.setattr(
        few_steps, "draw", lambda pipe, rows, way, seed: asked.append((way, len(rows))) or scenes.batch(len(rows), seed).images
    )
    monkeypatch.setattr("edu_diffusion.metrics.calibration.through_vae", lambda pipe, images: images)
    ways = [Way("DDIM", 1.0, 4), Way("LCM", 1.0, 4, True)]
    found = metrics.few_step_calibrations(pipe, metrics.load_judge("cpu"), 2, ways, seeds=5)
    assert asked == [(ways[0], 5)] * 2 + [(ways[1], 5)] * 2
    assert set(found) == {f"{part}_{w.name()}" for w in ways for part in ("calibration", "calibration_floor", "calibration_excess")}
