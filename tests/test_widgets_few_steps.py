"""The few-steps explorer without a browser: four images a letter, the library's own samplers, the LoRA on and off; its figures."""

import pytest
import torch
from look import described_and_legible
from peft import LoraConfig
from tiny import pipeline
from widget_tools import operable

import edu_diffusion
from edu_diffusion import figures
from edu_diffusion.figures import fast_and_good, quick_row
from edu_diffusion.steps import decode, initial_noise
from edu_diffusion.widgets import FewStepsExplorer, explore, few_steps
from edu_diffusion.widgets.few_steps import jumps, lcm_timesteps


def adapted():
    """A tiny pipeline with a LoRA that changes it."""
    pipe = pipeline()
    pipe.unet.add_adapter(LoraConfig(r=2, lora_alpha=2, target_modules=["to_v"]), "fast")
    for seed, (name, p) in enumerate(pipe.unet.named_parameters()):
        if ".lora_" in name:
            p.data = torch.randn(p.shape, generator=torch.Generator().manual_seed(seed)) / 3
    return pipe


@pytest.fixture(scope="module")
def pipe():
    return adapted()


@pytest.fixture
def drawn(monkeypatch):
    """A list to which the images of every picture are added."""
    seen = []
    monkeypatch.setattr(few_steps, "quick_row", lambda *given, **more: seen.append(given[0]) or quick_row(*given, **more))
    return seen


def test_it_is_on_the_public_face_with_named_controls(pipe):
    assert edu_diffusion.FewStepsExplorer is FewStepsExplorer
    widget = FewStepsExplorer(pipe, "a cat")
    named = [control.description for control in operable(widget)]
    assert named == ["Prompt", "First seed", "Evaluations", "New noise", "With the LoRA"]
    assert widget.values == {"prompt": "a cat", "seed": 0, "calls": 4, "fresh": 1.0, "lora": True}


def test_every_letter_is_drawn_and_no_other_explorers_prompt_is(pipe):
    widget = FewStepsExplorer(pipe, "a")
    assert widget.controls["prompt"].continuous_update and not edu_diffusion.PromptWidget(pipe).controls["prompt"].continuous_update
    for text in ("a c", "a ca", "a cat"):
        widget.controls["prompt"].value = text
        assert f'"{text}"' in widget.picture.alt and "4 images, seed 0; seed 1; seed 2; seed 3" in widget.picture.alt


def test_the_drawing_of_an_old_letter_stops(pipe, monkeypatch):
    """A letter that comes while the first step of the one before is done: that one is not drawn to its end."""
    widget, calls = FewStepsExplorer(pipe, "a c", calls=8), []
    monkeypatch.setattr(explore, "asked_in_browser", lambda: bool(calls))

    def first(*_):
        calls.append(1)
        if len(calls) == 1:
            widget.controls["prompt"].value = "a cat"

    hook = pipe.unet.register_forward_pre_hook(first)
    widget.redraw()
    widget.wait()
    hook.remove()
    assert '"a cat"' in widget.picture.alt and len(calls) == 1 + 8


@pytest.mark.parametrize("calls", [1, 2, 4, 8])
@pytest.mark.parametrize("name", ["LCMScheduler", "TCDScheduler"])
def test_the_timesteps_are_the_librarys(pipe, calls, name):
    import diffusers

    scheduler = getattr(diffusers, name).from_config(pipe.scheduler.config)
    scheduler.set_timesteps(calls)
    pairs = lcm_timesteps(calls)
    assert [t for t, _ in pairs] == scheduler.timesteps.tolist()
    assert [s for _, s in pairs] == [*scheduler.timesteps.tolist()[1:], -1]


@pytest.mark.parametrize("fresh", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("calls", [1, 4])
def test_the_images_are_those_of_the_librarys_pipeline(pipe, drawn, fresh, calls, monkeypatch):
    """The library's TCD ends at timestep 0, with 0.1 % of noise; the explorer ends without. Here both end at 0."""
    from diffusers import TCDScheduler

    monkeypatch.setattr(few_steps, "lcm_timesteps", lambda n: [(t, max(s, 0)) for t, s in lcm_timesteps(n)])
    FewStepsExplorer(pipe, "a cat", seed=5, fresh=fresh, calls=calls).redraw()
    own = pipe.scheduler
    pipe.scheduler = TCDScheduler.from_config(own.config)
    rng = torch.Generator().manual_seed(5)
    z = pipe("a cat", num_inference_steps=calls, guidance_scale=1, eta=fresh, generator=rng, output_type="latent").images
    pipe.scheduler = own
    torch.testing.assert_close(drawn[0][:1], decode(pipe, z), atol=2e-3, rtol=0)


def test_all_new_noise_is_nearly_lcm(pipe):
    from edu_diffusion.steps import generate, lcm_step

    pairs = lcm_timesteps(4)
    ends = [
        list(generate(pipe, "a cat", guidance=1, pairs=pairs, step=step))[-1].z_s for step in (jumps(pipe, pairs, 1.0), lcm_step)
    ]
    assert 0 < (ends[0] - ends[1]).abs().max() < 0.2


def test_without_the_lora_it_is_the_base_and_the_lora_comes_back(pipe, drawn):
    widget = FewStepsExplorer(pipe, "a cat", lora=False, calls=1)
    widget.redraw()
    widget.controls["lora"].value = True
    base, own = pipeline(), lcm_timesteps(1)
    z = list(edu_diffusion.generate(base, ["a cat"] * 4, guidance=1, pairs=own, step=jumps(base, own, 1.0)))[-1].z_s
    torch.testing.assert_close(drawn[0], decode(base, z), atol=1e-4, rtol=0)
    assert not torch.allclose(drawn[0], drawn[1], atol=0.01)
    assert "without the LoRA" not in widget.picture.alt and "with the LoRA" in widget.picture.alt


def test_the_lora_comes_back_when_drawing_is_stopped(pipe):
    before = edu_diffusion.draw(pipe, "a cat", steps=1, guidance=1)
    half = few_steps.four(pipe, "a cat", lora=False)
    next(half)
    half.close()
    assert torch.equal(edu_diffusion.draw(pipe, "a cat", steps=1, guidance=1), before)


def test_each_image_costs_what_the_bar_says(pipe):
    rows = []
    hook = pipe.unet.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    for calls in (1, 8):
        rows.clear()
        picture = FewStepsExplorer(pipe, "a cat", calls=calls).figure()
        assert rows == [4] * calls and f"{calls} of 40 evaluations" in picture.alt
    hook.remove()


def test_a_pipeline_with_its_scheduler_exchanged_draws_the_same(pipe):
    from diffusers import LCMScheduler

    before = FewStepsExplorer(pipe, "a cat").figure().png
    own, pipe.scheduler = pipe.scheduler, LCMScheduler.from_config(pipe.scheduler.config)
    after = FewStepsExplorer(pipe, "a cat").figure().png
    pipe.scheduler = own
    assert before == after


def test_an_unknown_word_gets_its_notice(pipe):
    widget = FewStepsExplorer(pipe, "a pengiun")
    widget.redraw()
    assert "penguin" in widget.message


def test_a_pipeline_without_a_lora_is_refused():
    with pytest.raises(ValueError, match="no LoRA"):
        FewStepsExplorer(pipeline())


# ---------------------------------------------------------------- the figures

SCORES = {n: {"value": v, "low": 0.8 * v, "high": 1.2 * v} for n, v in ((1, 14.0), (4, 2.5), (8, 1.2))}
NEXT = {n: {"value": v, "low": v - 0.3, "high": v + 0.3} for n, v in ((1, 3.0), (4, 0.2))}


def test_the_plot_names_every_value_and_its_reference():
    picture = fast_and_good({"base": SCORES, "student": NEXT}, ("100 evaluations", {"value": 0.4, "low": 0.1, "high": 0.7}))
    described_and_legible(picture)
    assert "base: 14.00 at 1, 2.50 at 4, 1.20 at 8" in picture.alt and "student: 3.00 at 1, 0.20 at 4" in picture.alt
    assert "The band is 100 evaluations: 0.40" in picture.alt


def test_other_values_are_another_plot():
    reference = "r", {"value": 0.4, "low": 0.1, "high": 0.7}
    other = {**NEXT, 4: {"value": -0.2, "low": -0.5, "high": 0.1}}
    assert fast_and_good({"a": NEXT}, reference).png != fast_and_good({"a": other}, reference).png


@pytest.mark.parametrize("curves", [{}, {"a": {}}])
def test_nothing_to_plot_is_a_sentence(curves):
    with pytest.raises(ValueError, match="nothing to plot"):
        fast_and_good(curves, ("r", {"value": 1, "low": 1, "high": 1}))


def test_the_bar_grows_with_what_was_spent():
    images = torch.zeros(2, 3, 64, 64)
    some, more = (quick_row(images, ["a", "b"], spent, 40, "a cat, with the LoRA, and a cat without") for spent in (1, 20))
    described_and_legible(some)
    assert some.png != more.png and some.alt.startswith("2 images, a; b. 1 of 40 evaluations: a cat")
    with pytest.raises(ValueError, match="give one for each"):
        figures.quick_row(images, ["a"], 1, 40, "words")


def test_it_starts_from_the_seeds_own_noise(pipe):
    seen = []
    hook = pipe.unet.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    FewStepsExplorer(pipe, "a cat", seed=7, calls=1).redraw()
    hook.remove()
    assert torch.equal(seen[0], initial_noise(pipe, [7, 8, 9, 10]))
