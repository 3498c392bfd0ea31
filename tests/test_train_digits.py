"""The recipes for digits: they learn, they use the loss they are given, the library loads their results."""

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from edu_diffusion import steps, train
from edu_diffusion.data import digits
from edu_diffusion.errors import EduError
from edu_diffusion.steps import build_lenet, lenet_forward, q_sample, velocity
from edu_diffusion.train import ddpm, loop
from edu_diffusion.train import lenet as reading


@pytest.fixture(scope="module")
def unet():
    return built("eps")


def built(target):
    """An untrained U-Net, but with a last layer that is not zero."""
    torch.manual_seed(0)
    unet = ddpm.build_digit_unet(*ddpm.SHAPES[target]).eval()
    torch.nn.init.normal_(unet.conv_out.weight, std=0.1)
    return unet


def test_ddpm_learns_and_vanilla_diffusers_opens_it(tmp_path):
    from diffusers import DDPMScheduler, UNet2DModel

    history = list(train.RECIPES["ddpm"](minutes=None, steps=40, batch=32, run=tmp_path, device="cpu"))
    assert [p.step for p in history] == list(range(1, 41))
    assert history[-1].loss < 0.85 < history[0].loss, "well under the zero predictor's 1"
    unet = UNet2DModel.from_pretrained(tmp_path / "model" / "unet")
    torch.testing.assert_close(dict(unet.named_parameters()), dict(history[-1].model.named_parameters()))
    levels = DDPMScheduler.from_pretrained(tmp_path / "model" / "scheduler").alphas_cumprod
    torch.testing.assert_close(levels, ddpm.LEVELS, atol=1e-6, rtol=1e-4)
    assert 500_000 < sum(p.numel() for p in unet.parameters()) < 700_000


@pytest.mark.parametrize("target", ddpm.SHAPES)
def test_a_fresh_network_predicts_zero(target):
    x = torch.randn(2, 1, 8, 8)
    fresh = ddpm.build_digit_unet(*ddpm.SHAPES[target])
    assert 500_000 < sum(p.numel() for p in fresh.parameters()) < 700_000
    assert not ddpm.output(fresh, torch.tensor([1, ddpm.ANY]))(x, 500).any()


def test_the_target_v_is_learned_and_sampled_from_as_the_library_does(tmp_path):
    from diffusers import DDPMScheduler

    history = list(train.RECIPES["ddpm"](minutes=None, steps=40, batch=32, run=tmp_path, device="cpu", target="v"))
    assert history[-1].loss < 0.85 * history[0].loss
    assert DDPMScheduler.from_pretrained(tmp_path / "model" / "scheduler").config.prediction_type == "v_prediction"
    unet, labels, x_t = history[-1].model, torch.tensor([3, ddpm.ANY]), torch.randn(2, 1, 8, 8)
    v, eps = ddpm.output(unet, labels)(x_t, 700), ddpm.predictor(unet, labels, target="v")(x_t, 700)
    torch.testing.assert_close(
        velocity(steps.predict_x0(x_t, eps, ddpm.LEVELS[700]), eps, ddpm.LEVELS[700]), v, atol=1e-4, rtol=1e-4
    )


def test_the_loss_of_v_is_zero_where_v_is_known():
    x_0, _, eps, t = ddpm.examples(8, 0, 1)
    knows = ddpm.velocity_loss(lambda x_t, t: velocity(x_0, eps, ddpm.LEVELS[t]), x_0, eps, t, ddpm.LEVELS)
    zero = ddpm.velocity_loss(lambda x_t, t: torch.zeros_like(x_t), x_0, eps, t, ddpm.LEVELS)
    assert knows == 0 < zero
    seen = []
    ddpm.velocity_loss(lambda x_t, t: seen.append((x_t, t)) or eps, x_0, eps, t, ddpm.LEVELS)
    torch.testing.assert_close(seen[0], (q_sample(x_0, eps, ddpm.LEVELS[t]), t))


def test_another_target_is_a_sentence(unet):
    with pytest.raises(EduError, match="no target 'x'; use one of 'eps', 'v'"):
        next(ddpm.train_ddpm(steps=1, target="x"))
    with pytest.raises(EduError, match="no target 'x'"):
        ddpm.predictor(unet, torch.tensor([1]), target="x")


def test_the_loss_is_the_one_that_is_given():
    def mine(model, x_0, eps, t, abar):
        assert x_0.shape == eps.shape == model(x_0, t).shape == (4, 1, 8, 8)
        assert t.shape == (4,) and len(abar) == 1000
        return 0 * model(x_0, t).mean() + 7

    *_, last = ddpm.train_ddpm(minutes=None, steps=2, batch=4, device="cpu", loss=mine)
    assert last.loss == 7


def test_who_always_answers_zero_has_a_loss_of_one():
    x_0, _, eps, t = ddpm.examples(2000, 0, 0)
    zero = ddpm.noise_loss(lambda x_t, t: torch.zeros_like(x_t), x_0, eps, t, ddpm.LEVELS)
    assert abs(zero - 1) < 0.02
    knows = ddpm.noise_loss(lambda x_t, t: eps, x_0, eps, t, ddpm.LEVELS)
    assert knows == 0


def test_the_loss_shows_the_model_the_noisy_picture():
    x_0, _, eps, t = ddpm.examples(8, 0, 1)
    seen = []
    ddpm.noise_loss(lambda x_t, t: seen.append((x_t, t)) or eps, x_0, eps, t, ddpm.LEVELS)
    torch.testing.assert_close(seen[0], (q_sample(x_0, eps, ddpm.LEVELS[t]), t))


def test_a_step_draws_from_its_number_alone():
    one = ddpm.examples(64, 3, 5)
    same = ddpm.examples(64, 3, 5)
    other = ddpm.examples(64, 3, 6)
    assert all(torch.equal(a, b) for a, b in zip(one, same))
    assert not any(torch.equal(a, b) for a, b in zip(one, other))
    labels = ddpm.examples(4000, 0, 0)[1]
    assert 0.08 < (labels == ddpm.ANY).float().mean() < 0.12 and labels.unique().tolist() == list(range(11))


def test_guidance_of_one_is_the_label_and_of_zero_is_none(unet):
    x_t, labels = torch.randn(3, 1, 8, 8), torch.tensor([1, 2, 3])
    ask = [
        ddpm.predictor(unet, y, g)(x_t, 500) for y, g in ((labels, 1), (torch.full((3,), ddpm.ANY), 1), (labels, 0), (labels, 3.0))
    ]
    torch.testing.assert_close(ask[2], ask[1])
    torch.testing.assert_close(ask[3], ask[1] + 3 * (ask[0] - ask[1]))
    torch.testing.assert_close(ask[0], ddpm.output(unet, labels)(x_t, 500))
    assert (ask[0] - ask[1]).abs().max() > 1e-4, "the label is heard"


@pytest.mark.parametrize("target, kind", [("eps", "epsilon"), ("v", "v_prediction")])
def test_it_draws_what_the_library_draws(target, kind):
    from diffusers import DDIMScheduler

    unet, labels, (fold, _) = built(target), torch.tensor([3, ddpm.ANY]), ddpm.SHAPES[target]
    x = pixel_unshuffle(torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(4)), fold)
    library = DDIMScheduler(beta_schedule="linear", clip_sample=False, timestep_spacing="trailing", prediction_type=kind)
    library.set_timesteps(5)
    with torch.no_grad():
        for t in library.timesteps:
            x = library.step(unet(x, t, labels).sample, t, x).prev_sample
    ours = ddpm.draw(unet, labels, steps=5, seed=4, target=target)
    torch.testing.assert_close(ours, pixel_shuffle(x, fold).clamp(-1, 1), atol=1e-3, rtol=1e-3)


def test_a_loss_of_your_own_always_sees_noise_predicted():
    """The U-Net for v starts with v = 0, from which follows eps = sqrt(1 - abar_t) x_t."""

    def mine(model, x_0, eps, t, abar):
        x_t = q_sample(x_0, eps, abar[t])
        torch.testing.assert_close(model(x_t, t), (1 - abar[t]).sqrt().reshape(-1, 1, 1, 1) * x_t)
        return model(x_t, t).square().mean()

    assert len(list(ddpm.train_ddpm(minutes=None, steps=1, batch=4, device="cpu", loss=mine, target="v"))) == 1


def test_lenet_learns_to_read_and_is_kept(tmp_path):
    """A quarter of the steps of the lesson, which reads 97 %."""
    *_, last = train.RECIPES["lenet"](minutes=None, steps=150, run=tmp_path, device="cpu")
    net = last.model
    assert reading.accuracy(net) >= 0.9
    again = build_lenet()
    again.load_state_dict(load_file(tmp_path / "model" / "lenet.safetensors"))
    x = digits.digits("test").images[:20]
    torch.testing.assert_close(again(x), net(x))
    torch.testing.assert_close(lenet_forward(net, x), net(x))


def test_moved_digits_stay_the_same_digits():
    x, rng = digits.batch(64, 1).images, loop.generator(0, 0)
    still, near, far = (reading.moved(x, loop.generator(0, 0), most) for most in (0.0, 0.1, 0.3))
    enlarged = torch.nn.functional.interpolate(x, (32, 32), mode="bilinear")
    torch.testing.assert_close(still, enlarged, atol=1e-4, rtol=0)
    assert 0.01 < (near - still).abs().mean() < (far - still).abs().mean() < 0.5
    assert far.min() >= -1.001 and far.max() <= 1.001
    assert not torch.equal(reading.moved(x, rng), reading.moved(x, rng)), "every time another way"


def test_grain_is_as_strong_as_said():
    x = torch.zeros(256, 1, 32, 32)
    strength = [reading.grainy(x, loop.generator(0, i), 0.5).std().item() for i in range(40)]
    assert 0 < min(strength) < 0.1 and 0.3 < max(strength) < 0.5, "interpolated, so a little weaker than 0.5"
    assert torch.equal(reading.grainy(x, loop.generator(0, 0), 0), x)


def test_accuracy_counts_what_is_read_right():
    net = build_lenet()
    with torch.no_grad():
        net.out.weight.zero_(), net.out.bias.copy_(torch.eye(10)[3])  # always says 3
    share = (digits.digits("test").labels == 3).float().mean().item()
    assert reading.accuracy(net) == pytest.approx(share)
