"""Recipes: they learn, stop at their limit, survive a kill at any moment and resume with the same result."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from edu_diffusion import models, train
from edu_diffusion.data import scenes
from edu_diffusion.errors import EduError
from edu_diffusion.metrics import load_judge
from edu_diffusion.train import latent as latent_recipe
from edu_diffusion.train import loop, losses
from edu_diffusion.train.latent import zero_residuals
from edu_diffusion.train.losses import drop_captions, sample_timesteps
from edu_diffusion.train.parts import Parts
from edu_diffusion.train.vae import by_sprite

TARGET = torch.tensor([[1.0, -2.0, 0.5]])


def noisy_line(model, seed=0):
    """A loss whose data depend on the step's number alone."""

    def loss(step):
        x = torch.randn(16, 3, generator=loop.generator(seed, step))
        return (model(x) - x @ TARGET.T).square().mean()

    return loss


def fit_line(run=None, steps=200, **kw):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    return model, list(loop.fit(model, noisy_line(model), steps=steps, lr=0.1, warmup=5, run=run, **kw))


def test_the_loop_learns_and_reports():
    model, progress = fit_line()
    assert [p.step for p in progress] == list(range(1, 201))
    assert progress[-1].loss < 0.05 * progress[0].loss and progress[-1].left == 0
    torch.testing.assert_close(model.weight, TARGET, atol=0.05, rtol=0)


def test_every_run_may_be_cut_short_from_outside(monkeypatch):
    monkeypatch.setenv("EDU_DIFFUSION_SECONDS", "3")
    assert loop.Bound(minutes=10).done(1, 2.9) < 1 == loop.Bound(minutes=10).done(1, 3.0)
    assert loop.Bound(minutes=1 / 60).done(1, 1.0) == 1 and loop.Bound(steps=100).done(1, 3.0) == 1
    monkeypatch.delenv("EDU_DIFFUSION_SECONDS")
    assert loop.Bound(steps=100).done(1, 3.0) == 0.01


def test_a_deadline_ends_the_run():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)

    def slow(step):
        time.sleep(0.02)
        return noisy_line(model)(step)

    *_, last = loop.fit(model, slow, minutes=0.5 / 60)
    assert 0.5 <= last.seconds < 1.5 and last.left == 0


def test_resumed_equals_uninterrupted(tmp_path):
    whole, _ = fit_line()
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 1)
    for p in loop.fit(model, noisy_line(model), steps=200, lr=0.1, warmup=5, run=tmp_path, every=0.0):
        if p.step == 77:
            break
    resumed, progress = fit_line(run=tmp_path)
    assert progress[0].step == 78
    torch.testing.assert_close(resumed.weight, whole.weight, atol=1e-6, rtol=1e-5)


def test_the_average_is_what_remains():
    model, _ = fit_line(ema=0.0)
    averaged, _ = fit_line(ema=0.9)
    assert not torch.equal(model.weight, averaged.weight)


def test_a_loss_that_is_not_finite_stops_the_run():
    model = torch.nn.Linear(3, 1)
    with pytest.raises(EduError, match="step 0"):
        list(loop.fit(model, lambda step: model(torch.full((1, 3), float("inf"))).sum(), steps=3))


def test_a_gradient_that_is_not_finite_stops_the_run():
    model = torch.nn.Linear(3, 1)
    before = model.weight.detach().clone()
    with pytest.raises(EduError, match="gradient"):
        list(loop.fit(model, lambda step: (0 * model.weight).square().sum().sqrt(), steps=3))
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("kw", [{}, {"minutes": 0}, {"steps": -1}])
def test_how_long_must_be_said(kw):
    with pytest.raises(EduError, match="minutes"):
        list(loop.fit(torch.nn.Linear(1, 1), lambda step: None, **kw))


def test_a_foreign_state_is_refused(tmp_path):
    fit_line(run=tmp_path, steps=2)
    other = torch.nn.Sequential(torch.nn.Linear(3, 1))
    with pytest.raises(EduError, match="another recipe"):
        list(loop.fit(other, noisy_line(other), steps=4, run=tmp_path))


KILLED = """
import torch
from edu_diffusion.train import loop
model = torch.nn.Linear(512, 512)
loss = lambda step: model(torch.randn(4, 512, generator=loop.generator(0, step))).square().mean()
for p in loop.fit(model, loss, steps=10**6, run={run!r}, every=0.0):
    if p.step == 3: print("running", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL on Windows")
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.111, 0.2])
def test_a_kill_at_any_moment_leaves_a_whole_state(tmp_path, delay):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(run=str(tmp_path))], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert process.stdout.readline() == b"running\n"
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    state = load_file(tmp_path / "state.safetensors")
    assert len(state) == 8 and all(t.isfinite().all() for t in state.values())
    model = torch.nn.Linear(512, 512)
    first = next(loop.fit(model, lambda step: model.weight.square().mean(), steps=10**6, run=tmp_path))
    assert first.step >= 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Every recipe, two small steps each, one after the other as a learner would."""
    root = tmp_path_factory.mktemp("runs")
    last = {}
    for name in ("vae", "clip", "judge"):
        *_, last[name] = train.RECIPES[name](steps=2, batch=4, run=root / name, device="cpu")
    *_, last["latent"] = train.RECIPES["latent"](
        steps=2, batch=2, run=root / "latent", device="cpu"
    )  # finds the other two beside it
    return root, last


def test_the_recipes_end_in_a_pipeline_that_opens_in_vanilla_diffusers(runs):
    from diffusers import StableDiffusionPipeline

    root, last = runs
    assert all(p.step == 2 and p.left == 0 for p in last.values())
    with models.quiet():
        pipe = StableDiffusionPipeline.from_pretrained(root / "latent" / "model", dtype=torch.float32)
    picture = models.load(root / "latent" / "model", "cpu")("a cat", num_inference_steps=1, output_type="np").images
    assert picture.shape == (1, 64, 64, 3) and pipe.vae.config.scaling_factor != 1


def test_a_small_sprite_counts_as_much_as_a_big_one():
    masks = torch.zeros(3, 1, 64, 64, dtype=torch.bool)
    masks[0, :, 30:34, 30:34] = masks[1, :, 8:56, 8:56] = True
    weight = by_sprite(masks)
    torch.testing.assert_close(weight.mean((1, 2, 3)), torch.tensor([2.0, 2.0, 1.0]))
    assert weight[:, 0, 0, 0].tolist() == [1, 1, 1] and weight[0].max() == 1 + 64 * 64 / 6 / 6


def test_the_latents_are_scaled_to_one(runs):
    from diffusers import AutoencoderKL

    vae = AutoencoderKL.from_pretrained(runs[0] / "vae" / "model" / "vae")
    z_0 = vae.encode(scenes.batch(256, 4, "wide").images).latent_dist.mean * vae.config.scaling_factor
    assert 0.9 < z_0.std() < 1.1


def test_noisy_levels_are_drawn_more_often():
    even, noisy, noisiest = (sample_timesteps(20_000, torch.Generator().manual_seed(0), k) for k in (1, 2, 3))
    assert abs(even.mean() - 1 / 2) < 0.01 and abs((even < 0.4).float().mean() - 0.4) < 0.01
    assert abs(noisy.mean() - 2 / 3) < 0.01 and abs((noisy < 0.4).float().mean() - 0.16) < 0.01
    assert abs(noisiest.mean() - 3 / 4) < 0.01 and abs((noisiest < 0.5).float().mean() - 1 / 8) < 0.01


def test_a_later_run_draws_the_timesteps_it_is_told(runs, monkeypatch):
    root, _ = runs
    asked = []
    monkeypatch.setattr(latent_recipe, "sample_timesteps", lambda n, rng, k: asked.append(k) or torch.rand(n, generator=rng))
    next(train.RECIPES["latent"](steps=1, batch=2, start=root / "latent" / "model", noisy=3, device="cpu"))
    next(train.RECIPES["latent"](steps=1, batch=2, start=root / "latent" / "model", device="cpu"))
    assert asked == [3, 1]


@pytest.mark.parametrize("pool, composed", [(2, [0, 1]), (0, [0, 1, 2, 3, 4])])
def test_scenes_come_again_with_other_noise(pool, composed, monkeypatch):
    """pool=0 composes new ones at every step; the noise is another one either way."""
    seeds = []
    noise = []
    batch = scenes.batch
    errors = losses.errors
    monkeypatch.setattr(scenes, "batch", lambda n, seed, *args, **kw: seeds.append(seed) or batch(n, seed, *args, **kw))
    monkeypatch.setattr(
        losses,
        "errors",
        lambda unet, z_0, c, abar, rng, levels: noise.append(rng.get_state()) or errors(unet, z_0, c, abar, rng, levels),
    )
    list(train.RECIPES["latent"](steps=5, batch=2, start="base", pool=pool, device="cpu"))
    assert seeds == composed and len({n.numpy().tobytes() for n in noise}) == 5


def test_latent_sees_the_whole_vocabulary_and_several_things_when_asked(monkeypatch):
    shares, mixed = [], scenes.mixed
    monkeypatch.setattr(
        scenes, "mixed", lambda n, seed, wide, many, **kw: shares.append((wide, many)) or mixed(n, seed, wide, many=many, **kw)
    )
    for more in ({}, {"wide": 0.5, "many": 0.6}):
        next(train.RECIPES["latent"](steps=1, batch=2, start="base", device="cpu", **more))
    assert shares == [(0.0, scenes.MANY), (0.5, 0.6)]


def test_a_scene_gets_a_new_caption_each_time_it_comes(monkeypatch):
    said, encode = [], Parts.text
    monkeypatch.setattr(Parts, "text", lambda self, captions: said.append(captions) or encode(self, captions))
    monkeypatch.setattr(latent_recipe, "drop_captions", lambda captions, rng: captions)
    for _ in train.RECIPES["latent"](steps=3, batch=4, start="base", device="cpu", pool=1):
        pass
    assert len({tuple(captions) for captions in said}) == 3


@pytest.mark.parametrize("more, expected", [({}, ("style",)), ({"held_out": ()}, ())])
def test_the_judge_sees_held_out_styles_unless_told_otherwise(more, expected, monkeypatch):
    seen, batch = [], scenes.batch
    monkeypatch.setattr(scenes, "batch", lambda *args, held_out, **kw: seen.append(held_out) or batch(*args, **kw))
    next(train.RECIPES["judge"](steps=1, batch=2, device="cpu", **more))
    assert seen == [expected]


def test_the_judge_goes_on_from_another(runs):
    folder = runs[0] / "judge" / "model"
    now = next(train.RECIPES["judge"](steps=9, batch=2, lr=1e-9, start=folder, device="cpu")).model.state_dict()
    assert all(torch.allclose(now[k], w, atol=1e-6) for k, w in load_judge("cpu", folder).state_dict().items())


def test_latent_needs_the_other_two(tmp_path):
    with pytest.raises(EduError, match="train vae"):
        next(train.RECIPES["latent"](steps=1, vae=tmp_path))


def test_an_empty_caption_in_ten():
    captions = drop_captions(["x"] * 5000, torch.Generator().manual_seed(0))
    assert 0.08 < captions.count("") / 5000 < 0.12


def test_the_unet_starts_by_predicting_nothing():
    unet = zero_residuals(models.build_unet())
    out = unet(torch.randn(1, 4, 16, 16), 5, torch.randn(1, models.TOKENS, models.WIDTH)).sample
    assert out.abs().max() == 0


def test_the_recipe_base_makes_every_part_and_a_pipeline(tmp_path):
    seen = []
    for progress in train.RECIPES["base"](minutes=600, steps=1, run=tmp_path, device="cpu"):
        seen.append(progress.left)
    assert len(seen) == 3 and seen[0] > seen[1] > seen[2] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [".in-use", "clip", "latent", "model", "settings.json", "vae"]
    assert models.load(tmp_path / "model", "cpu").unet.config.sample_size == 16


def test_the_recipe_base_needs_a_folder():
    with pytest.raises(EduError, match="folder"):
        next(train.RECIPES["base"](steps=1))


def test_a_decoder_that_learns_on_leaves_the_latents_alone(runs, tmp_path):
    root, _ = runs
    before = models.load(root / "latent" / "model", "cpu").vae
    *_, last = train.RECIPES["vae"](steps=2, batch=2, start=root / "latent" / "model", run=tmp_path, device="cpu")
    x_0 = scenes.batch(2, 0).images
    with torch.no_grad():
        torch.testing.assert_close(last.model.encode(x_0).latent_dist.mean, before.encode(x_0).latent_dist.mean)
    assert not torch.equal(last.model.decoder.conv_in.weight, before.decoder.conv_in.weight)
    assert last.model.config.scaling_factor == before.config.scaling_factor
    assert "_name_or_path" not in (tmp_path / "model" / "vae" / "config.json").read_text(), "where it began is nobody's"


def test_a_pipeline_can_be_trained_on(runs):
    root, _ = runs
    begun = models.load(root / "latent" / "model", "cpu").unet
    first = next(train.RECIPES["latent"](steps=1, batch=2, start=root / "latent" / "model", device="cpu"))
    weight = first.model["unet"].conv_in.weight
    assert 0 < (weight - begun.conv_in.weight).abs().max() < 1e-3
