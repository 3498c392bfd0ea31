"""The first five minutes: four pictures of a typed prompt, other seeds and a surprise by a press, notices, no kernel needed."""

import os
import random

import pytest
import tiny
import torch
from ipywidgets import Button
from widget_tools import operable, shown_html

import edu_diffusion
from edu_diffusion import figures
from edu_diffusion.data import advice, school
from edu_diffusion.steps import draw
from edu_diffusion.widgets import FirstPicture, explore, first

LIVE = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def pipe():
    return tiny.pipeline()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Two steps, for what does not depend on their number."""
    monkeypatch.setattr(first, "STEPS", 2)
    original = first.generate
    monkeypatch.setattr(first, "generate", lambda *given, **more: original(*given, steps=2, **more))


def shown(monkeypatch):
    """A list to which every row's pictures and labels are added."""
    seen = []
    monkeypatch.setattr(first, "row", lambda *given, **more: seen.append(given[:2]) or figures.row(*given, **more))
    return seen


def test_it_is_on_the_public_face():
    assert edu_diffusion.FirstPicture is FirstPicture


def test_there_is_a_box_and_three_buttons_each_with_a_name_and_a_hint(pipe):
    widget = FirstPicture(pipe)
    assert [control.description for control in operable(widget)] == ["Prompt", "Draw", "Again", "Surprise me"]
    assert all(isinstance(button, Button) and button.tooltip for button in (widget.again, widget.surprise))
    assert widget.prompt == "a dog" and "edu-explore" in widget._dom_classes, "its keys are its own"


def test_it_draws_the_same_four_pictures_as_the_readable_loop(pipe, monkeypatch):
    seen = shown(monkeypatch)
    FirstPicture(pipe, "a cat", seed=5).redraw()
    pictures, labels = seen[0]
    alone = [draw(pipe, "a cat", seed=seed, steps=2)[0] for seed in (5, 6, 7, 8)]
    torch.testing.assert_close(pictures, torch.stack(alone), atol=1e-4, rtol=0)
    assert labels == ["seed 5", "seed 6", "seed 7", "seed 8"]
    assert not torch.allclose(pictures[0], pictures[1], atol=0.01), "other seeds are other pictures"


def test_with_the_steps_of_every_lesson_by_default(pipe, monkeypatch):
    monkeypatch.undo()
    said = [item for item in first.four(pipe, "a cat") if isinstance(item, str) and item]
    assert said[0] == f"Step 1 of {first.STEPS}" and said[-1] == f"Step {first.STEPS} of {first.STEPS}"


def test_typed_words_are_drawn(pipe):
    widget = FirstPicture(pipe)
    widget.controls["prompt"].value = "red cat"
    assert '"red cat"' in widget.picture.alt and "seed 0, seed 1, seed 2, seed 3" in widget.picture.alt
    assert widget.prompt == "red cat" and 'alt="Four pictures' in shown_html(widget)


def test_draw_draws_what_is_in_the_box(pipe):
    widget = FirstPicture(pipe, "a cat")
    widget.button.click()
    assert '"a cat"' in widget.picture.alt


def test_again_draws_the_same_prompt_from_the_next_four_seeds(pipe):
    widget = FirstPicture(pipe, "a cat")
    widget.redraw()
    before = widget.picture.png
    widget.again.click()
    assert '"a cat"' in widget.picture.alt and "seed 4, seed 5, seed 6, seed 7" in widget.picture.alt
    assert widget.picture.png != before
    widget.again.click()
    assert "seed 8, seed 9, seed 10, seed 11" in widget.picture.alt


def test_after_the_greatest_seed_come_the_first_ones(pipe):
    widget = FirstPicture(pipe, "a cat", seed=first.LAST)
    widget.redraw()
    widget.again.click()
    assert widget.values["seed"] == 0 and "seed 0" in widget.picture.alt


def test_a_surprise_is_a_known_prompt_from_the_world_and_not_always_the_same(pipe, monkeypatch):
    widget, prompts = FirstPicture(pipe), set()
    monkeypatch.setattr(widget, "_draw", lambda **values: figures.Picture(b"\x89PNG", "a picture"))
    for number in range(5):
        monkeypatch.setattr(random, "randrange", lambda most, number=number: number)
        widget.surprise.click()
        prompts.add(widget.prompt)
        assert widget.prompt == school.surprise(number) and not advice.advice(widget.prompt) and widget.picture
    assert len(prompts) == 5


def test_a_surprise_for_a_class_is_never_on_its_list(pipe, monkeypatch):
    monkeypatch.setenv(school.SWITCH, "1")
    widget, asked = FirstPicture(pipe), []
    monkeypatch.setattr(
        widget, "_draw", lambda **values: asked.append(values["prompt"]) or figures.Picture(b"\x89PNG", "a picture")
    )
    listed = [number for number in range(4000) if on_the_list(number)][:3]
    for number in listed:
        monkeypatch.setattr(random, "randrange", lambda most, number=number: number)
        widget.surprise.click()
    assert len(asked) == 3 and not any(map(school.refused, asked))


def on_the_list(seed):
    """Whether the surprise of this seed would be a listed thing where no class is served."""
    os.environ[school.SWITCH] = ""
    found = school.refused(school.surprise(seed))
    os.environ[school.SWITCH] = "1"
    return found


def test_a_press_in_the_browser_draws_once_and_in_a_thread_of_its_own(pipe, monkeypatch):
    widget, drawn = FirstPicture(pipe, "a cat"), []
    monkeypatch.setattr(explore, "asked_in_browser", lambda: True)
    monkeypatch.setattr(widget, "_draw", lambda **v: drawn.append(v) or figures.Picture(b"\x89PNG", "a picture"))
    widget.again.click()
    widget.wait()
    assert drawn == [{"prompt": "a cat", "seed": 4}]


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("a cat on blue", ""),
        ("a pengiun", 'The base model was not trained on the word "pengiun" (penguin?).'),
        ("a blue dog", 'write "a dog on a blue background".'),
    ],
)
def test_unknown_words_get_their_notice_and_the_pictures(pipe, prompt, words):
    widget = FirstPicture(pipe, prompt)
    widget.redraw()
    assert words in widget.message and bool(words) == bool(widget.message) and widget.picture


def test_a_press_on_a_suggestion_mends_the_prompt_and_draws(pipe):
    widget = FirstPicture(pipe, "a pengiun")
    widget.redraw()
    offers = [part for part in operable(widget) if isinstance(part, Button) and "→" in part.description]
    offers[0].click()
    assert widget.prompt == "a penguin" and '"a penguin"' in widget.picture.alt and not widget.message


def test_a_prompt_that_is_too_long_is_cut_and_says_so(pipe):
    widget = FirstPicture(pipe, "a" * 500)
    with pytest.warns(UserWarning, match="tokens"):
        widget.redraw()
    assert widget.message.startswith("The prompt has 500 tokens; only the first 14 are read") and widget.picture


def test_an_empty_box_and_one_with_markup_are_drawn(pipe):
    for prompt in ("", "😀 <b>"):
        widget = FirstPicture(pipe, prompt)
        widget.redraw()
        assert widget.picture and "<b>" not in shown_html(widget)


def test_the_pictures_are_large_enough_and_a_large_models_are_not_enlarged(pipe, monkeypatch):
    scales = []
    monkeypatch.setattr(first, "row", lambda *_, scale: scales.append(scale) or figures.Picture(b"\x89PNG", "a picture"))
    for edge in (64, 512):
        monkeypatch.setattr(first, "decode", lambda pipe, z, edge=edge: torch.zeros(4, 3, edge, edge))
        FirstPicture(pipe).redraw()
    assert scales == [3, 1]


def test_without_a_kernel_there_is_the_plain_picture(pipe):
    data, _ = FirstPicture(pipe, "a cat")._repr_mimebundle_()
    assert LIVE in data and data["image/png"] and 'alt="Four pictures of the prompt' in data["text/html"]
