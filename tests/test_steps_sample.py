"""The loop over any function that predicts noise."""

import itertools
from functools import partial

import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

ABAR = steps.abar(steps.linear_betas())
LEVELS = steps.spaced_levels(ABAR, 4)


def noise(seed=0, shape=(2, 1, 4, 4)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def half(x, t):
    return x * 0.5 + t / 5000


def run(step=steps.ddim_step, model=half, levels=LEVELS, seed=0):
    return list(steps.sample(model, noise(), levels, step, torch.Generator().manual_seed(seed)))


@twin("sample")
@pytest.mark.parametrize("count", [1, 10, 30])
def test_pipeline(count):
    """The library's pipeline for pixels, with a network of random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=8,
            in_channels=1,
            out_channels=1,
            layers_per_block=1,
            block_out_channels=(8, 8),
            norm_num_groups=4,
            down_block_types=("DownBlock2D",) * 2,
            up_block_types=("UpBlock2D",) * 2,
        ).eval()
    pipe = DDPMPipeline(unet, DDPMScheduler(clip_sample=False, timestep_spacing="trailing"))
    pipe.set_progress_bar_config(disable=True)
    want = pipe(3, torch.Generator().manual_seed(0), count, output_type="np").images
    generator = torch.Generator().manual_seed(0)
    x_T = torch.randn(3, 1, 8, 8, generator=generator)
    model = lambda x, t: unet(x, t, return_dict=False)[0]  # noqa: E731
    *_, last = steps.sample(model, x_T, steps.spaced_levels(ABAR, count), steps.ddpm_step, generator)
    got = (last.x_s / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    assert_close(got, torch.as_tensor(want), rtol=1e-4, atol=1e-4)
    assert 0.05 < got.std() < 0.5  # neither black nor white all over


def test_states_tell_the_whole_story():
    states = run()
    assert [(s.i, s.t, s.s) for s in states] == [(0, 999, 749), (1, 749, 499), (2, 499, 249), (3, 249, -1)]
    assert_close(states[0].x_t, noise())
    for a, b in itertools.pairwise(states):
        assert b.x_t is a.x_s
    for s in states:
        assert_close(s.eps, half(s.x_t, s.t))
        assert_close(steps.q_sample(s.x_0, s.eps, ABAR[s.t]), s.x_t)
        assert_close(s.x_s, steps.ddim_step(s.x_t, s.eps, ABAR[s.t], ABAR[s.s] if s.s >= 0 else 1.0))
    assert_close(states[-1].x_s, states[-1].x_0)


def test_what_a_step_may_ask_for():
    seen = []

    def mine(x_t, eps, abar_t, abar_s, previous, *, noise, model):
        seen.append((abar_t, previous, noise, model(x_t)))
        return steps.ddim_step(x_t, eps, abar_t, abar_s)

    states = run(mine, seed=5)
    assert seen[0][1] is None
    for (_, previous, *_), last, (_, abar_last) in zip(seen[1:], states, LEVELS, strict=False):
        assert previous[0] is last.x_0 and previous[1] == abar_last
    generator = torch.Generator().manual_seed(5)
    for (abar_t, _, drawn, asked), state, (_, level) in zip(seen, states, LEVELS, strict=False):
        assert abar_t == level
        assert torch.equal(drawn, torch.randn(2, 1, 4, 4, generator=generator))
        assert_close(asked, half(state.x_t, state.s))


def test_names_of_the_first_four_are_the_learners_own():
    """Who calls the prediction `noise` is not given another one."""
    assert_close(run(lambda x, noise, a, b: steps.ddim_step(x, noise, a, b))[-1].x_s, run()[-1].x_s)


def test_what_a_partial_has_settled_stays():
    fixed = partial(steps.ddpm_step, noise=torch.zeros(2, 1, 4, 4))
    assert_close(run(fixed, seed=1)[-1].x_s, run(fixed, seed=2)[-1].x_s)
    first_order = partial(steps.dpmpp_2m_step, previous=None)
    assert_close(run(first_order)[-1].x_s, run()[-1].x_s)


def test_steps_without_names():
    """functools.partial, varargs, and functions written in C, which do not tell their arguments."""
    for step in (lambda *args: steps.ddim_step(*args), lambda x, *_, **__: x, partial(steps.euler_step)):
        assert len(run(step)) == 4
    with pytest.raises(TypeError):  # torch's own words: it was called with the usual four
        run(torch.add)


def test_memory_begins_anew_with_every_run():
    assert_close(run(steps.dpmpp_2m_step)[-1].x_s, run(steps.dpmpp_2m_step)[-1].x_s, rtol=0, atol=0)


@pytest.mark.parametrize(
    "step, calls", [(steps.ddim_step, 4), (steps.dpmpp_2m_step, 4), (steps.ddpm_step, 4), (steps.heun_step, 7)]
)
def test_how_often_the_model_is_asked(step, calls):
    """Heun's asks twice, but once in the last step, at whose end there is no noise to predict."""
    seen = []
    run(step, lambda x, t: seen.append(t) or half(x, t))
    assert len(seen) == calls and min(seen) >= 0


def test_a_step_may_not_change_what_was_yielded():
    states = run(lambda x_t, *_: x_t.mul_(0.5))
    assert_close(states[0].x_t, noise())
    assert_close(states[1].x_s, noise() / 4)


def test_levels_of_ones_own():
    """From halfway, as image-to-image does; t may be anything that the model understands."""
    states = run(levels=[("a", 0.3), ("b", 0.8), ("c", 0.9)], model=lambda x, t: x * {"a": 0.1, "b": 0.2}[t])
    assert [(s.t, s.s) for s in states] == [("a", "b"), ("b", "c")]


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"levels": LEVELS[::-1]}, "from the noisiest to the cleanest"),
        ({"levels": LEVELS[:1]}, "at least two pairs"),
        ({"step": 3}, "step is 3; it must be a function"),
        ({"step": lambda x, eps, a, b, eta: x}, "step has the argument 'eta'; .* it may take only noise, previous and model"),
        ({"step": lambda *_: None}, "step returned NoneType; it must return a tensor like its x_t"),
        ({"step": lambda x, *_: x[:1]}, r"step returned \(1, 1, 4, 4\), torch.float32"),
        ({"step": lambda x, *_: x / 0}, r"Step 1 \(t = 999\) gave NaN or infinite numbers"),
        ({"model": lambda x, t: (x,)}, "model returned tuple; it must return a tensor like its x_t"),
        ({"model": lambda x, t: x.double()}, "model returned .* torch.float64"),
        ({"model": lambda x, t: x if t == 999 else None, "step": steps.heun_step}, "model returned NoneType"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        run(**wrong)


def test_a_default_that_is_not_asked_for():
    """A step's own settings are its own, as ddpm_step's variance."""
    assert_close(run(lambda x, eps, a, b, eta=0.0: steps.ddim_step(x, eps, a, b))[-1].x_s, run()[-1].x_s)


@pytest.mark.parametrize("mode", [True, False])
def test_callers_grad_mode_is_their_own(mode):
    weight = torch.ones(1, requires_grad=True)
    with torch.set_grad_enabled(mode):
        for state in steps.sample(lambda x, t: x * weight, noise(), LEVELS):
            assert torch.is_grad_enabled() is mode and not state.x_s.requires_grad
