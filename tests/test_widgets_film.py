"""The film of one image: each step as `generate` made it, Play and Pause, nothing that moves by itself."""

import pytest
import tiny
import torch
from ipywidgets import ToggleButton
from widget_tools import operable, shown_html

import edu_diffusion
from edu_diffusion import errors, figures
from edu_diffusion.steps import decode, generate
from edu_diffusion.widgets import Film, film
from edu_diffusion.widgets.playback import Playback
from edu_diffusion.widgets.slider import Slider

STEPS = 4


@pytest.fixture(scope="module")
def pipe():
    return tiny.pipeline()


@pytest.fixture(scope="module")
def states(pipe):
    return list(generate(pipe, "a cat", seed=3, steps=STEPS))


def test_each_step_shows_what_the_model_gets_what_it_predicts_and_the_end(pipe, states, monkeypatch):
    seen = []
    monkeypatch.setattr(film, "row", lambda *given, **more: seen.append(given) or figures.row(*given, **more))
    for step in (1, STEPS):
        Film(pipe, states, step).redraw()
        images, labels, alt = seen.pop()
        state = states[step - 1]
        for image, z in zip(images, (state.z_t, state.z_0, states[-1].z_s), strict=True):
            torch.testing.assert_close(image, decode(pipe, z)[0])
        assert labels == [f"step {step}: noisy x_t", "predicted x_0", "final picture"]
        apart = (images[1] - images[2]).square().mean().sqrt()
        assert f"Step {step} of {STEPS}: " in alt and f"differ by {apart:.2f}" in alt
        assert f"are {images[1].std():.2f} and {images[2].std():.2f}." in alt


def test_a_run_that_is_not_computed_yet_is_fine_and_an_empty_one_a_sentence(pipe, states):
    assert Film(pipe, iter(states)).figure().png == Film(pipe, states).figure().png
    with pytest.raises(ValueError, match="give all States of a run"):
        Film(pipe, [])


def test_it_is_operated_by_a_slider_and_one_button_with_a_name(pipe, states):
    widget = Film(pipe, states)
    slider, button = operable(widget)
    assert (slider.description, slider.min, slider.max, slider.value) == ("Step", 1, STEPS, 1)
    assert (slider.spoken, slider.numbered) == ("{value} of {max}", "Step, as a number")
    assert isinstance(button, ToggleButton) and button.description == "Play" and button.tooltip
    assert edu_diffusion.Film is Film and "edu-explore" in widget._dom_classes, "its keys are its own"
    slider.value = 3
    assert "Step 3 of 4" in widget.picture.alt and "Step 3 of 4" in shown_html(widget)


def test_nothing_moves_before_play_and_pause_stops_it():
    slider = Slider(2, min=1, max=4)
    playback = Playback(slider)
    player, toggle = playback.player, playback.toggle
    assert (player.playing, player.value, player.min, player.max) == (False, 2, 1, 4) and player.layout.display == "none"
    toggle.value = True
    assert player.playing and toggle.description == "Pause"
    player.value = 3  # what the browser does when it plays
    assert slider.value == 3
    toggle.value = False
    assert not player.playing and toggle.description == "Play"
    toggle.value = True
    player.playing = False  # at the end
    assert not toggle.value and toggle.description == "Play"
    slider.value = 1
    assert player.value == 1


def test_in_german(pipe, states, monkeypatch):
    monkeypatch.setenv(errors.LANGUAGE, "de")
    widget = Film(pipe, states)
    slider, button = operable(widget)
    assert (slider.description, slider.spoken, slider.numbered) == ("Schritt", "{value} von {max}", "Schritt, als Zahl")
    assert button.description == "Abspielen" and "Schritt 1 von 4: links das verrauschte x_t" in widget.figure().alt
