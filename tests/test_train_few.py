"""The recipe few_steps: its targets, the adversary, a resumed run, and a file that vanilla diffusers draws with."""

import pytest
import tiny
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline
from safetensors.torch import load_file
from torch.testing import assert_close

from edu_diffusion import steps, train
from edu_diffusion.data import scenes
from edu_diffusion.errors import EduError
from edu_diffusion.models.locate import LORA
from edu_diffusion.train import few_steps
from edu_diffusion.train.adversary import Adversary
from edu_diffusion.train.frozen import Frozen
from edu_diffusion.train.lora import with_lora

BRIEF = {"steps": 2, "minutes": None, "device": "cpu", "rank": 2, "batch": 2, "pool": 1, "teacher_steps": 3, "lr": 0.05}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.saved(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def base(folder):
    base = Frozen(folder, "cpu")
    with_lora(base.pipe.unet, 2, 2)
    return base


@pytest.fixture(scope="module")
def seen(base):
    return few_steps.trajectories(base, lambda n, seed: scenes.mixed(n, seed, 0.0), 3, 0, 4, 3.0, 5)


def test_the_teacher_is_the_base_with_guidance_whatever_the_lora_says(base, seen):
    for name, p in base.pipe.unet.named_parameters():
        if ".lora_B." in name:
            p.data.fill_(0.1)
    again = few_steps.trajectories(base, lambda n, seed: scenes.mixed(n, seed, 0.0), 3, 0, 4, 3.0, 5)
    assert_close(again.end, seen.end)
    captions = scenes.mixed(3, 4, 0.0).captions
    base.pipe.unet.disable_adapters()
    *_, last = steps.generate(base.pipe, captions, seed=12, steps=5, guidance=3.0, step=steps.dpmpp_2m_step)
    base.pipe.unet.enable_adapters()
    assert_close(seen.end, last.z_s)
    assert seen.t.tolist() == [999, 799, 599, 399, 199] and seen.z.shape[:2] == (5, 3) == seen.v.shape[:2]


@pytest.mark.parametrize("kind", ["guidance", "consistency"])
def test_the_target(base, seen, kind):
    """A student that answers with the target has no loss, and one that adds 1 to it has a loss of 1."""
    k, which = torch.tensor([0, 2, 4]), torch.arange(3)
    abar = base.abar[seen.t[k]]
    exact = seen.v[k, which] if kind == "guidance" else steps.velocity(
        seen.end, steps.eps_from_x0(seen.end, seen.z[k, which], abar), abar
    )  # fmt: skip
    for more in (0.0, 1.0):
        answer = lambda z_t, t, c, more=more: type("Out", (), {"sample": exact + more})  # noqa: E731
        student = type("Base", (), {"abar": base.abar, "pipe": type("Pipe", (), {"unet": staticmethod(answer)})})
        value, z_0 = few_steps.distilled(student, seen, k, kind)
        assert value.item() == pytest.approx(more, abs=1e-5)
    if kind == "consistency":
        value, z_0 = few_steps.distilled(student, seen, k, kind)
        assert_close(z_0 + (1 - abar).sqrt()[:, None, None, None], seen.end, rtol=1e-4, atol=1e-4)


def test_neither_side_of_the_adversary_trains_the_other(base, seen):
    adversary, rng = Adversary(base), torch.Generator().manual_seed(0)
    z_0 = seen.end.clone().requires_grad_()
    noised = adversary.noising(3, rng, z_0)
    fixed = {name: p.detach() for name, p in adversary.heads.named_parameters()}
    fake = adversary.features(*noised(z_0), seen.c)
    steps.hinge_student(torch.cat(adversary.scores(fake, fixed), 1)).backward()
    assert z_0.grad.abs().sum() > 0 and all(p.grad is None for p in adversary.heads.parameters())
    z_0.grad = None
    real = adversary.features(*noised(seen.real + 1), seen.c)
    steps.hinge_discriminator(*(torch.cat(adversary.scores(h), 1) for h in (real, [h.detach() for h in fake]))).backward()
    assert z_0.grad is None and any(p.grad.abs().sum() > 0 for p in adversary.heads.parameters())


def test_the_adversary_learns_to_tell_two_kinds_of_latents_apart(base, seen):
    torch.manual_seed(0)
    adversary = Adversary(base)
    optimiser = torch.optim.Adam(adversary.heads.parameters(), 1e-2)
    before = after = None
    for step in range(30):
        rng = torch.Generator().manual_seed(step % 3)
        noised = adversary.noising(3, rng, seen.end)
        real, fake = (adversary.scores(adversary.features(*noised(z), seen.c)) for z in (seen.real, seen.real + 2))
        after = steps.hinge_discriminator(torch.cat(real, 1), torch.cat(fake, 1))
        before = before or after.item()
        optimiser.zero_grad()
        after.backward()
        optimiser.step()
    assert after.item() < 0.5 * before


def test_the_features_are_the_teachers_without_the_lora(base, seen):
    adversary, t = Adversary(base), torch.tensor([10, 500, 900])
    base.pipe.unet.disable_adapters()
    want = []
    hooks = [block.resnets[-1].register_forward_hook(lambda m, i, o: want.append(o)) for block in base.pipe.unet.down_blocks[:1]]
    base.pipe.unet(seen.end, t, seen.c)
    base.pipe.unet.enable_adapters()
    for hook in hooks:
        hook.remove()
    assert_close(adversary.features(seen.end, t, seen.c)[0], want[0])


@pytest.mark.parametrize("kind", few_steps.KINDS)
def test_a_run_draws_in_vanilla_diffusers(folder, tmp_path, kind):
    *_, last = train.RECIPES["few_steps"](run=tmp_path, model=folder, kind=kind, **BRIEF)
    assert last.step == 2
    path = tmp_path / "model"
    names = load_file(path / LORA)
    assert names and not any("heads" in name for name in names)
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    before = tiny.vanilla(pipe, "a red cat", num_inference_steps=2, guidance_scale=1.0)
    pipe.load_lora_weights(path)
    pipe.scheduler = LCMScheduler.from_config(pipe.scheduler.config)
    after = tiny.vanilla(pipe, "a red cat", num_inference_steps=2, guidance_scale=1.0)
    assert not torch.equal(before, after)


def test_it_goes_on_from_a_lora(folder, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    list(train.RECIPES["few_steps"](run=first, model=folder, **BRIEF))
    list(train.RECIPES["few_steps"](run=second, model=folder, start=first / "model", **BRIEF | {"lr": 1e-12}))
    assert_close(load_file(second / "model" / LORA), load_file(first / "model" / LORA), atol=1e-3, rtol=1e-2)


def test_an_interrupted_run_ends_with_the_same_weights(folder, tmp_path):
    how = BRIEF | {"steps": 3, "model": folder, "kind": "adversarial"}
    list(train.RECIPES["few_steps"](run=tmp_path / "whole", **how))
    stopped = train.RECIPES["few_steps"](run=tmp_path / "twice", **how)
    next(stopped)
    stopped.close()
    list(train.RECIPES["few_steps"](run=tmp_path / "twice", **how))
    one, two = (load_file(tmp_path / name / "model" / LORA) for name in ("whole", "twice"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("wrong", [{"kind": "turbo"}, {"rank": 0}, {"pool": 0}, {"teacher_steps": 0}])
def test_wrong_settings_are_refused_in_one_sentence(folder, wrong):
    with pytest.raises(EduError, match=str(next(iter(wrong.values())))):
        next(train.RECIPES["few_steps"](model=folder, **BRIEF | wrong))
