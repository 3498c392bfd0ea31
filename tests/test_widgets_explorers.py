"""The explorers without a browser: what they show, what they say, and that nothing is computed twice."""

import html
import threading

import pytest
import tiny
import torch
from ipywidgets import Image, Output
from widget_tools import descendants, operable, shown_html

from edu_diffusion import models
from edu_diffusion.data import scenes
from edu_diffusion.errors import EduError
from edu_diffusion.steps import GUIDANCE, decode, generate
from edu_diffusion.widgets import GuidanceExplorer, LatentExplorer, TimelineExplorer, explore
from edu_diffusion.widgets.cached_runs import CachedRuns, content, other_words
from edu_diffusion.widgets.guidance import both
from edu_diffusion.widgets.progress import finished
from edu_diffusion.widgets.timeline import SECOND
from edu_diffusion.widgets.vae import eight_bits, half

STEPS = 4
PICTURES = {
    name: torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i)) * 2 - 1 for i, name in enumerate(("one", "two"))
}


class Counted:
    """Counts the calls of a pipeline's parts, by hooks of torch's own, and decodings."""

    def __init__(self, pipe):
        self.unet = self.text = self.decoded = self.encoded = 0
        pipe.unet.register_forward_hook(lambda *_: self.add("unet"))
        pipe.text_encoder.register_forward_hook(lambda *_: self.add("text"))
        pipe.vae.decoder.register_forward_hook(lambda *_: self.add("decoded"))
        pipe.vae.encoder.register_forward_hook(lambda *_: self.add("encoded"))

    def add(self, name):
        setattr(self, name, getattr(self, name) + 1)

    def all(self):
        return self.unet, self.text, self.decoded, self.encoded


@pytest.fixture
def pipe():
    return tiny.pipeline()


@pytest.fixture
def count(pipe):
    return Counted(pipe)


def timeline(pipe, **values):
    return TimelineExplorer(pipe, **{"prompt": "a cat", "other_prompt": "red dog", "steps": STEPS, **values})


def guidance(pipe, **values):
    return GuidanceExplorer(pipe, **{"prompt": "a cat", "steps": STEPS, "step": 2, **values})


def latents(pipe, **values):
    return LatentExplorer(pipe, **{"pictures": PICTURES, "prompt": "a cat", "other_prompt": "red dog", "steps": STEPS, **values})


ALL = {"timeline": timeline, "guidance": guidance, "latents": latents}


@pytest.mark.parametrize("name", ALL)
def test_the_live_picture_is_the_one_without_a_kernel(pipe, name):
    widget = ALL[name](pipe)
    plain = widget.figure()
    assert widget.picture is None, "nothing is shown by figure()"
    widget.redraw()
    assert widget.picture.png == plain.png
    assert f'alt="{html.escape(plain.alt, quote=True)}"' in shown_html(widget)


@pytest.mark.parametrize("name", ALL)
def test_every_control_has_a_name_of_its_own(pipe, name):
    widget = ALL[name](pipe)
    names = [control.description for control in operable(widget)]
    assert all(names) and len(set(names)) == len(names)
    assert not [w for w in descendants(widget) if isinstance(w, (Output, Image))]
    assert set(widget.controls.values()) <= set(descendants(widget)), "no control is left out"


@pytest.mark.parametrize("name", ALL)
def test_a_picture_seen_before_costs_nothing(pipe, count, name):
    widget = ALL[name](pipe)
    widget.redraw()
    before = count.all()
    widget.redraw()
    widget.figure()
    assert count.all() == before


@pytest.mark.parametrize("name", ALL)
def test_the_pipeline_is_left_as_it_was(pipe, name):
    pipe.unet.train()
    ALL[name](pipe).redraw()
    assert pipe.unet.training and not pipe.vae.training
    assert not pipe.unet._forward_hooks and not pipe.unet._forward_pre_hooks


@pytest.mark.parametrize("name", ALL)
def test_half_precision_and_a_model_that_predicts_noise(name):
    widget = ALL[name](tiny.pipeline(torch.bfloat16, prediction_type="epsilon"))
    assert "nan" not in widget.figure().alt


# ---------------------------------------------------------------- the timeline


def test_the_timeline_shows_the_states_of_the_readable_loop(pipe):
    from edu_diffusion.figures import Moment
    from edu_diffusion.figures import timeline as figure

    states = list(generate(pipe, "a cat", seed=3, steps=STEPS, guidance=2.0))
    noisy, clean, end = (decode(pipe, z)[0] for z in (states[1].z_t, states[1].z_0, states[-1].z_s))
    expected = figure([Moment('"a cat", seed 3, DDIM', noisy, clean, states[1].eps[0], end)], [s.t for s in states], 1)
    picture = timeline(pipe, seed=3, guidance=2.0, step=2).figure()
    assert picture.png == expected.png and picture.alt == expected.alt


def test_scrubbing_asks_the_unet_nothing_and_decodes_once(pipe, count):
    widget = timeline(pipe)
    widget.redraw()
    calls, seen = (count.unet, count.text), {widget.picture.alt}
    assert count.unet == STEPS
    assert count.decoded == 2 * STEPS, "what the slider will ask for is there before it is moved"
    for step in (2, 3, 4):
        widget.controls["step"].value = step
        seen.add(widget.picture.alt)
    assert (count.unet, count.text) == calls and len(seen) == 4
    decoded = count.decoded
    assert decoded == 2 * STEPS, "two pictures at every step; the end is the last guess"
    widget.controls["step"].value = 1
    assert count.decoded == decoded and "Step 1 of 4" in widget.picture.alt


@pytest.mark.parametrize(
    "second, told, calls",
    [
        ("another seed", "seed 1", STEPS),
        ("another prompt", '"red dog"', STEPS),
        ("another sampler", "Euler ancestral", STEPS - 1),  # the first step's answer is there
        ("a prompt swapped midway", "from step 3 on", STEPS - 2),
    ],
)
def test_a_second_run_computes_only_what_the_first_did_not(pipe, count, second, told, calls):
    widget = timeline(pipe, other_seed=1, other_sampler="Euler ancestral", since=3)
    widget.redraw()
    before = count.unet
    widget.controls["second"].value = second
    assert count.unet - before == calls
    assert told in widget.picture.alt and "The two predicted x_0 differ by" in widget.picture.alt


def test_a_prompt_swapped_midway_begins_like_the_first_and_ends_otherwise(pipe):
    runs = CachedRuns(pipe)
    plain = list(generate(pipe, "a cat", steps=STEPS))
    swapped = list(generate(runs.view(other_words(runs.embed("red dog"), plain[2].t)), "a cat", steps=STEPS))
    assert all(torch.equal(swapped[i].z_t, plain[i].z_t) for i in range(3))
    assert not torch.equal(swapped[2].eps_c, plain[2].eps_c) and torch.equal(swapped[2].eps_u, plain[2].eps_u)
    other = list(generate(pipe, "red dog", steps=STEPS))
    whole = list(generate(runs.view(other_words(runs.embed("red dog"))), "a cat", steps=STEPS))
    assert torch.equal(whole[-1].z_s, other[-1].z_s), "swapped from the start it is the other prompt's run"


def test_only_the_controls_that_the_second_run_needs_are_shown(pipe):
    widget = timeline(pipe)
    for second, wanted in SECOND.items():
        widget.controls["second"].value = second
        shown = [n for n in ("other_prompt", "other_seed", "other_sampler", "since") if widget.controls[n].layout.display != "none"]
        assert sorted(shown) == sorted(wanted)


def test_playing_moves_the_step_and_nothing_moves_unasked(pipe):
    widget = timeline(pipe)
    player = widget.playback.player
    assert not player.playing
    widget.redraw()
    player.value = 3  # what the browser does when it plays
    assert widget.controls["step"].value == 3 and "Step 3 of 4" in widget.picture.alt


def test_fewer_steps_bring_the_step_back(pipe):
    widget = timeline(pipe, step=4)
    widget.controls["steps"].value = 2
    assert widget.controls["step"].value == 2 == widget.playback.player.max and "Step 2 of 2" in widget.picture.alt


def test_the_last_value_wins_while_a_run_is_computed(pipe, count, monkeypatch):
    monkeypatch.setattr(explore, "asked_in_browser", lambda: True)
    begun, go = threading.Event(), threading.Event()

    def hold(*_):
        begun.set()
        go.wait(60)

    pipe.unet.register_forward_hook(hold)
    widget = timeline(pipe, steps=20)
    widget.controls["seed"].value = 5
    assert begun.wait(60)
    for seed in (6, 7):
        widget.controls["seed"].value = seed
    go.set()
    widget.wait()
    assert "seed 7" in widget.picture.alt
    assert count.unet <= 1 + 20, "the run for seed 5 stopped within a step, seed 6 was never begun"


# ---------------------------------------------------------------- what is cached


def test_weights_that_changed_are_noticed(pipe, count):
    widget = timeline(pipe)
    widget.redraw()
    first, before = widget.picture.png, count.unet
    with torch.no_grad():
        pipe.unet.conv_out.bias.add_(0.5)
    widget.redraw()
    assert count.unet == before + STEPS and widget.picture.png != first
    with torch.no_grad():
        pipe.vae.decoder.conv_out.bias.add_(0.5)
    second = widget.picture.png
    widget.redraw()
    assert count.unet == before + STEPS and widget.picture.png != second


def test_a_text_encoder_that_was_trained_is_noticed(pipe, count):
    runs = CachedRuns(pipe)
    run = lambda: finished(runs.run("a cat", steps=1))[-1].z_s
    c, z = runs.embed("a cat"), run()
    assert runs.embed("a cat") is c and torch.equal(run(), z) and count.unet == 1
    with torch.no_grad():
        pipe.text_encoder.get_input_embeddings().weight.mul_(2)
    assert not torch.equal(runs.embed("a cat"), c) and not torch.equal(run(), z)


def test_what_is_stored_is_limited_and_can_be_forgotten(pipe, count):
    runs = CachedRuns(pipe, most=3 * 4 * 4 * 8 * 8)
    z = [torch.full((1, 4, 8, 8), float(i)) for i in range(9)]
    for one in z:
        runs.pictures(one)
    runs.pictures(z[-1])
    assert count.decoded == 9, "the newest picture is always stored"
    runs.pictures(z[-2])
    assert count.decoded == 10, "and no other, where there is no room"
    runs.forget()
    runs.pictures(z[-2])
    assert count.decoded == 11


def test_content_tells_tensors_apart():
    z = torch.zeros(1, 4, 8, 8)
    assert content(z) == content(z.clone()) != content(z + 1e-6)
    assert content(z) != content(z.half()), "another precision is another question"


def test_cached_outputs_are_the_same_to_the_bit(pipe):
    runs = CachedRuns(pipe)
    for _ in range(2):
        for mine, theirs in zip(generate(runs.view(), "a cat", steps=STEPS), generate(pipe, "a cat", steps=STEPS)):
            assert all(torch.equal(a, b) for a, b in zip(mine[3:], theirs[3:]))


# ---------------------------------------------------------------- guidance


def test_guidance_shows_both_predictions_of_the_run(pipe):
    widget = guidance(pipe, guidance=3.0)
    state = list(generate(pipe, "a cat", steps=STEPS, guidance=3.0))[1]
    (eps_u, eps_c, eps), (_, _, z_0) = both(widget.runs.view(), widget.runs.embed("", "a cat"), state, 3.0)
    for mine, theirs in ((eps_u, state.eps_u), (eps_c, state.eps_c), (eps, state.eps), (z_0, state.z_0)):
        torch.testing.assert_close(mine, theirs)


def test_guidance_decodes_ahead_what_its_slider_asks_for(pipe, count):
    widget = guidance(pipe)
    widget.redraw()
    decoded = count.decoded
    for step in (1, 3, 4):
        widget.controls["step"].value = step
    assert count.decoded == decoded >= 2 * STEPS + 1


def test_what_guidance_has_prepared_is_not_gone_through_again(pipe, monkeypatch):
    widget, calls = guidance(pipe), []
    monkeypatch.setattr("edu_diffusion.widgets.guidance.both", lambda *given: calls.append(1) or both(*given))
    widget.redraw()
    assert len(calls) == 1 + STEPS, "for the picture, and for each step of the slider"
    widget.controls["step"].value = 3
    assert len(calls) == 2 + STEPS
    with torch.no_grad():
        pipe.unet.conv_out.bias.add_(0.5)
    widget.redraw()
    assert len(calls) == 3 + 2 * STEPS, "with other weights everything is prepared anew"
    widget.controls["guidance"].value = 2.0
    assert len(calls) == 4 + 3 * STEPS, "and for another question"


def test_adding_to_a_latent_decodes_the_next_values_ahead(pipe, count):
    widget = latents(pipe)
    widget.redraw()
    decoded, first = count.decoded, widget.picture.alt
    assert decoded == 4, "the picture, the edited one, and one further either way"
    widget.controls["add"].value += 0.5
    assert count.decoded == decoded + 1 and widget.picture.alt != first, "one further still"


def test_a_large_model_decodes_nothing_ahead(pipe, count, monkeypatch):
    monkeypatch.setattr("edu_diffusion.widgets.cached_runs.SMALL", 3)
    timeline(pipe).redraw()
    assert count.decoded == 3, "what is shown: the noisy picture, the guess, the end"


def test_guidance_at_a_step_costs_one_call_for_each_step_and_scrubbing_none(pipe, count):
    widget = guidance(pipe)
    widget.redraw()
    assert count.unet == STEPS
    widget.controls["step"].value = 4
    assert count.unet == STEPS and "step 4 of 4" in widget.picture.alt
    widget.controls["guidance"].value = 2.0
    assert count.unet == 2 * STEPS - 1, "the first step's predictions are there"
    assert "g = 2" in widget.picture.alt


def test_outside_the_interval_both_predictions_are_asked_for_the_step_shown_only(pipe, count):
    widget = guidance(pipe, step=1, low=0, high=600)
    widget.redraw()
    assert count.unet == STEPS + 1
    assert "not used at this step" in widget.picture.alt and "only from t = 0 to 600" in widget.picture.alt
    widget.controls["high"].value = 999
    assert "only" not in widget.picture.alt


def test_an_interval_the_wrong_way_round_is_a_sentence_in_the_widget(pipe):
    widget = guidance(pipe, low=900, high=200)
    with pytest.raises(ValueError, match="the lower first"):
        widget.redraw()
    assert "the lower first" in widget.message and 'role="alert"' in shown_html(widget)
    with pytest.raises(ValueError, match="the lower first"):
        widget.figure()


def test_where_the_noise_tells_nothing_of_the_picture_guidance_still_shows_it():
    """With a schedule that ends in noise alone, x_0 cannot be had from eps at the first step."""
    pipe = tiny.pipeline(rescale_betas_zero_snr=True)
    alt = guidance(pipe, step=1).figure().alt
    assert "nan" not in alt and "inf" not in alt


# ---------------------------------------------------------------- latents

VIEW = {
    "the channels": "+1 is added to channel 0",
    "between two pictures": "From one to two",
    "a random direction": "in a random direction",
    "bytes against JPEG": "latent, 16 bits, 512 bytes",
    "between two prompts": 'From "a cat" to "red dog"',
}


@pytest.mark.parametrize("show", VIEW)
def test_every_view_of_the_latents(pipe, count, show):
    widget = latents(pipe)
    widget.controls["show"].value = show
    assert VIEW[show] in (widget.figure().alt if show == "the channels" else widget.picture.alt)
    assert (count.unet > 0) is (show == "between two prompts")
    assert count.encoded <= 2
    visible = [name for name, control in widget.controls.items() if control.layout.display != "none"]
    assert "show" in visible and ("prompt" in visible) is (show == "between two prompts")


def test_an_edit_changes_one_channel_and_the_picture_tells(pipe, count):
    widget = latents(pipe)
    widget.redraw()
    encoded, first = count.encoded, widget.picture.alt
    widget.controls["channel"].value = 3
    assert "added to channel 3" in widget.picture.alt != first and count.encoded == encoded
    widget.controls["where"].value = "the left half"
    assert "channel 3, the left half" in widget.picture.alt
    widget.controls["add"].value = 0
    assert "added" not in widget.picture.alt


def test_a_mixture_of_prompts_begins_and_ends_with_the_prompts_own_pictures(pipe, count):
    widget = latents(pipe, show="between two prompts")
    widget.redraw()
    before = count.unet
    states = finished(
        widget.runs.run("a cat", other_words(widget.runs.embed("a cat")), ("red dog", 0), seed=0, steps=STEPS, guidance=GUIDANCE)
    )
    assert count.unet == before, "this run is there"
    assert torch.equal(states[-1].z_s, list(generate(pipe, "a cat", steps=STEPS))[-1].z_s)
    before = count.unet
    widget.controls["share"].value = 0.2
    assert count.unet == before + STEPS, "the ends are there"


@pytest.mark.parametrize("show", ["the channels", "bytes against JPEG"])
def test_a_picture_is_encoded_again_by_a_vae_that_was_trained(pipe, count, show):
    widget = latents(pipe, show=show)
    first = widget.figure().png
    assert widget.figure().png == first and count.encoded == 1
    with torch.no_grad():
        pipe.vae.encoder.conv_in.weight.mul_(2)
        pipe.vae.decoder.conv_out.bias.add_(0.1)
    assert widget.figure().png != first and count.encoded == 2


def test_latents_are_the_means_scaled(pipe):
    z_0 = latents(pipe).latent("one")
    with torch.no_grad():
        mean = pipe.vae.encode(PICTURES["one"][None]).latent_dist.mean
    torch.testing.assert_close(z_0, mean * pipe.vae.config.scaling_factor)
    assert not z_0.requires_grad


def test_bytes_are_counted_and_nothing_is_lost_to_eight_bits_but_rounding():
    z = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    short, nbytes = eight_bits(z)
    assert nbytes == 4 * 16 * 16 + 4 * 4 and half(z)[1] == 2 * 4 * 16 * 16
    assert all(len(channel.unique()) <= 256 for channel in short[0])
    span = z.amax((2, 3)) - z.amin((2, 3))
    assert ((short - z).abs().amax((2, 3)) <= span / 255 / 2 + 0.002).all()
    flat = torch.ones(1, 4, 2, 2)
    torch.testing.assert_close(eight_bits(flat)[0], flat)


def test_own_pictures_of_any_size_and_a_wrong_one(pipe):
    widget = latents(pipe, pictures={"mine": torch.zeros(1, 3, 100, 80)})
    assert widget.pictures["mine"][0].shape == (3, 32, 32)
    assert "mine" in widget.controls["picture"].options and widget.figure().alt
    with pytest.raises(EduError, match="'grey' has the shape"):
        latents(pipe, pictures={"grey": torch.zeros(1, 32, 32)})


def test_where_no_jpeg_is_so_small_the_widget_says_so(pipe):
    assert "smallest JPEG" in latents(pipe, show="bytes against JPEG").figure().alt


# ---------------------------------------------------------------- the shipped base


@pytest.fixture(scope="module")
def base():
    return models.load("base", "cpu")


def test_the_explorers_on_the_shipped_base(base):
    alt = TimelineExplorer(base, steps=2, second="a prompt swapped midway", since=2).figure().alt
    assert "Step 1 of 2" in alt and "The two predicted x_0 differ by 0.00" in alt
    assert "Guidance at step 1" in GuidanceExplorer(base, steps=2, step=1).figure().alt


def test_the_base_against_jpeg_with_the_scenes_and_photographs(base):
    widget = LatentExplorer(base, show="bytes against JPEG")
    assert len(widget.pictures) == 6 and scenes.PICTURE == 64
    alt = widget.figure().alt
    assert "latent, 16 bits, 2048 bytes" in alt and "latent, 8 bits, 1040 bytes" in alt
    assert "inside the sprite" in alt and "smallest" not in alt
