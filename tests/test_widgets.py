"""Widgets without a browser: values in, pictures out, two requests at once, mistakes."""

import ast
import json
import threading
import time
from argparse import Namespace
from pathlib import Path

import pytest
import tiny
import torch
import traitlets
from ipywidgets import BoundedIntText, Button, Image, Output
from widget_tools import descendants, operable, screen, shown_html

from edu_diffusion import figures
from edu_diffusion.data import advice
from edu_diffusion.errors import EduError
from edu_diffusion.steps import decode, generate
from edu_diffusion.widgets import Explore, PromptWidget, Slider, explore
from edu_diffusion.widgets.prompt import evenly, film

LIVE = "application/vnd.jupyter.widget-view+json"


def number(value=1):
    return BoundedIntText(value, min=0, max=100, description="Number")


def grey(number):
    """A pure figure function: one grey picture."""
    return figures.Picture(b"\x89PNG %d" % number, f"the number {number}")


@pytest.fixture
def browser(monkeypatch):
    """Values come from the browser, so that drawings run in threads of their own."""
    monkeypatch.setattr(explore, "asked_in_browser", lambda: True)


def test_a_new_value_is_drawn():
    widget = Explore(grey, number=number())
    assert widget.picture is None, "nothing is drawn before it is shown"
    widget.controls["number"].value = 7
    assert widget.picture.alt == "the number 7" and 'alt="the number 7"' in shown_html(widget)


def test_the_same_picture_without_a_browser():
    widget = Explore(grey, number=number(5))
    assert widget.figure().png == b"\x89PNG 5"
    assert widget.picture is None and screen(widget).value == "" == widget.message, "nothing is shown"


def test_the_mime_bundle_has_the_live_widget_and_the_plain_picture():
    data, metadata = Explore(grey, number=number(3))._repr_mimebundle_()
    assert LIVE in data and data["image/png"] and 'alt="the number 3"' in data["text/html"]
    json.dumps([data, metadata])


def test_the_button_draws_and_an_unchanged_value_is_not_drawn_again():
    drawn = []
    widget = Explore(lambda number: drawn.append(number) or grey(number), number=number(), button="Draw")
    widget.button.click()
    widget.button.click()
    assert drawn == [1]
    widget.controls["number"].value = 2
    assert drawn == [1, 2]


def test_a_generator_says_what_it_is_doing():
    said = []

    def draw(number):
        yield "Step 1 <of> 2"
        said.extend([widget.message, shown_html(widget)])
        yield grey(number)

    widget = Explore(draw, number=number())
    widget.redraw()
    assert said[0] == "Step 1 <of> 2" and "Step 1 &lt;of&gt; 2" in said[1] and 'role="status"' in said[1]
    assert widget.message == "" and widget.figure().alt == "the number 1"


def test_long_work_has_a_progress_bar_and_can_be_stopped():
    seen = []

    def draw(number):
        for i in range(1, 4):
            yield f"Step {i} of 3"
            seen.append((shown_html(widget), widget.stop.layout.display))
        yield grey(number)
        seen.append((shown_html(widget), widget.stop.layout.display))

    widget = Explore(draw, number=number())
    assert widget.stop.layout.display == "none" and widget.stop in descendants(widget)
    widget.redraw()
    assert ['<progress value="2" max="3"' in words for words, _ in seen] == [False, True, False, False]
    assert [display for _, display in seen] == ["", "", "", "none"]


def test_stop_ends_the_work_within_one_step_and_the_picture_stays(browser):
    slow = Slow()
    widget = Explore(slow, number=number(9))
    widget.redraw()
    widget.controls["number"].value = 2
    while slow.taken.get(2, 0) < 3:
        time.sleep(0.001)
    taken = slow.taken[2]
    widget.stop.click()
    widget.wait()
    assert slow.taken[2] <= taken + 2 and not slow.running
    assert widget.message == "Stopped." and widget.picture.alt == "the number 9"
    assert widget.stop.layout.display == "none"
    widget.controls["number"].value = 9
    widget.wait()
    assert widget.message == "", "and it can be asked again"


@pytest.mark.parametrize("error", [EduError("the seed must be whole"), ValueError("the seed must be whole")])
def test_a_mistake_of_the_user_is_a_sentence_in_the_widget(error, monkeypatch):
    def draw(number):
        if number == 9:
            raise error
        return grey(number)

    widget = Explore(draw, number=number())
    widget.redraw()
    monkeypatch.setattr(explore, "asked_in_browser", lambda: True)
    widget.controls["number"].value = 9
    widget.wait()
    assert widget.message == "the seed must be whole" and 'role="alert"' in shown_html(widget)
    assert widget.picture.alt == "the number 1", "the last picture stays"
    widget.controls["number"].value = 1
    widget.wait()
    assert widget.message == "", "and the sentence goes with the next picture"


def test_a_mistake_in_a_cell_fails_the_cell(monkeypatch):
    """A sentence alone would be overlooked by those who run all cells, such as nbval."""
    widget, told = Explore(refuse, number=number()), []
    for ask in (widget.redraw, lambda: setattr(widget.controls["number"], "value", 2), widget._repr_mimebundle_):
        with pytest.raises(ValueError, match="a whole number"):
            ask()
        assert widget.message == "the seed is not a whole number" and 'role="alert"' in shown_html(widget)
    shell = Namespace(showtraceback=lambda exception_only: told.append(exception_only))
    monkeypatch.setattr(explore, "get_ipython", lambda: shell)
    data, _ = widget._repr_mimebundle_()
    assert told == [True] and LIVE in data and "image/png" not in data, "in Jupyter the widget is shown, too"


def refuse(number):
    raise ValueError("the seed is not\na whole number")


def test_an_interrupt_is_told_and_goes_on(monkeypatch):
    def draw(number):
        yield "Step 1 of 2"
        raise KeyboardInterrupt

    widget = Explore(draw, number=number())
    with pytest.raises(KeyboardInterrupt):
        widget.redraw()
    assert widget.message == "Stopped."


def test_an_error_of_the_program_is_shown_and_raised():
    widget = Explore(lambda number: 1 / (number - 9), number=number(8))
    with pytest.raises(ZeroDivisionError):
        widget.controls["number"].value = 9
    assert widget.message == "ZeroDivisionError: division by zero"
    with pytest.raises(ZeroDivisionError):
        widget.redraw()
    assert free(), "the lock is free again"


def free():
    """Whether another thread could draw now."""
    got = []
    thread = threading.Thread(
        target=lambda: got.append(explore.DRAWING.acquire(timeout=1)) or (got[0] and explore.DRAWING.release())
    )
    thread.start()
    thread.join()
    return got[0]


def test_a_figure_waits_for_a_drawing_that_runs(browser):
    slow = Slow()
    widget, other = Explore(slow, number=number()), Explore(slow, number=number(9))
    widget.controls["number"].value = 2
    while not slow.running:
        time.sleep(0.001)
    assert other.figure().alt == "the number 9" and slow.most == 1
    widget.wait()
    assert free()


def test_a_picture_that_is_ready_is_shown_although_a_newer_one_is_wanted(browser):
    """Else whoever drags would see nothing until the end."""
    shown, begun, go = [], threading.Event(), threading.Event()

    def draw(number):
        begun.set()
        go.wait(60)
        return grey(number)

    widget = Explore(draw, number=number())
    screen(widget).observe(lambda change: shown.append(widget.picture.alt), "value")
    widget.controls["number"].value = 2
    assert begun.wait(60)
    widget.controls["number"].value = 3
    widget.controls["number"].value = 4
    go.set()
    widget.wait()
    assert shown == ["the number 2", "the number 4"]


def test_a_function_without_a_picture_is_a_mistake_of_the_program():
    with pytest.raises(TypeError, match="Picture"):
        Explore(lambda number: iter(()), number=number()).figure()


class Slow:
    """A drawing of many steps that counts how many run at the same time."""

    def __init__(self, steps=200):
        self.steps, self.running, self.most, self.taken = steps, 0, 0, {}

    def __call__(self, number):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            for _ in range(self.steps if number != 9 else 2):
                self.taken[number] = self.taken.get(number, 0) + 1
                time.sleep(0.005)
                yield f"number {number}"
            yield grey(number)
        finally:
            self.running -= 1


def test_the_last_value_wins_and_no_two_drawings_mix(browser):
    slow = Slow()
    widget = Explore(slow, number=number())
    for value in (2, 3, 4, 5, 9):
        widget.controls["number"].value = value
    widget.wait()
    assert slow.most == 1
    assert widget.picture.alt == "the number 9"


def test_a_newer_request_stops_the_older_within_one_step(browser):
    slow = Slow()
    widget = Explore(slow, number=number())
    widget.controls["number"].value = 2
    while slow.taken.get(2, 0) < 3:
        time.sleep(0.001)
    taken = slow.taken[2]
    widget.controls["number"].value = 9
    widget.wait()
    assert slow.taken[2] <= taken + 2 and slow.taken[9] == 2
    assert widget.picture.alt == "the number 9" and not slow.running


def test_requests_from_many_threads_at_once(browser):
    slow = Slow(3)
    widget = Explore(slow, number=number())
    threads = [threading.Thread(target=setattr, args=(widget.controls["number"], "value", v)) for v in range(2, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    widget.wait()
    assert slow.most == 1
    assert widget.picture.alt == f"the number {widget.controls['number'].value}"


def test_an_outdated_request_draws_nothing(browser):
    drawn = []
    widget = Explore(lambda number: drawn.append(number) or grey(number), number=number())
    with explore.DRAWING:  # both requests must wait
        widget.controls["number"].value = 2
        widget.controls["number"].value = 3
    widget.wait()
    assert drawn == [3]


def test_controls_and_message_are_public_and_cannot_be_replaced():
    mine = number()
    widget = Explore(grey, number=mine)
    assert dict(widget.controls) == {"number": mine} and widget.message == ""
    with pytest.raises(TypeError):
        widget.controls["number"] = number()
    with pytest.raises(AttributeError):
        widget.message = "Done."


@pytest.mark.parametrize("kind, asked", [("comm_msg", True), ("execute_request", False), (None, False)])
def test_who_asks_is_told_by_the_message_that_the_kernel_answers(monkeypatch, kind, asked):
    kernel = Namespace(get_parent=lambda channel: {"header": {"msg_type": kind}} if kind else {})
    monkeypatch.setattr(explore, "get_ipython", lambda: Namespace(kernel=kernel))
    assert explore.asked_in_browser() is asked


def test_without_a_kernel_nobody_asks_in_a_browser():
    assert explore.asked_in_browser() is False


# ---------------------------------------------------------------- one mechanism each

ROOM = Path(explore.__file__).parent


def imported(path):
    """{module: names} of all that a file imports."""
    found = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {node.module: {alias.name for alias in node.names} for node in found if node.module}


EXPLORERS = {path.stem: imported(path) for path in sorted(ROOM.glob("*.py")) if "(Explore):" in path.read_text()}


def test_no_file_but_the_rooms_face_imports_from_an_explorers_file():
    assert len(EXPLORERS) == 18
    others = [path for path in ROOM.rglob("*.py") if path != ROOM / "__init__.py"]
    assert not [(path.name, module) for path in others for module in imported(path) if module in EXPLORERS]


@pytest.mark.parametrize("name", EXPLORERS)
def test_explorers_take_their_controls_from_one_place(name):
    own = EXPLORERS[name].get("ipywidgets", set())
    assert own <= {"HBox", "VBox", "Layout"}


# ---------------------------------------------------------------- the slider


def test_a_slider_is_a_control_like_any_other():
    slider = Slider(3, min=1, max=20, description="Step", spoken="step {value} of {max}")
    widget = Explore(grey, number=slider)
    slider.value = 7
    assert widget.picture.alt == "the number 7" and slider.description == "Step"
    assert slider.get_state(["value", "min", "max", "step"]) == {"value": 7, "min": 1, "max": 20, "step": 1}


@pytest.mark.parametrize("given, kept", [(0, 1), (-1e9, 1), (21, 20), (2.6, 3), (20, 20)])
def test_a_slider_of_whole_numbers_has_whole_numbers_within_its_limits(given, kept):
    slider = Slider(given, min=1, max=20)
    assert slider.value == kept and isinstance(slider.value, int)
    slider.value = 5
    slider.value = given
    assert slider.value == kept and isinstance(slider.value, int)


def test_a_slider_of_other_numbers_keeps_them():
    slider = Slider(3.3, min=0, max=30, step=0.5)
    assert slider.value == 3.3
    slider.value = 4
    assert isinstance(slider.value, float)


def test_limits_that_move_bring_the_value_back():
    slider, seen = Slider(9, min=1, max=20), []
    slider.observe(lambda change: seen.append(change["new"]), "value")
    slider.max = 5
    slider.max = 30
    slider.min = 7
    assert seen == [5, 7]


@pytest.mark.parametrize("value", [float("nan"), "3", None])
def test_what_is_no_number_is_refused(value):
    slider = Slider(3, min=1, max=20)
    with pytest.raises(traitlets.TraitError):
        slider.value = value
    assert slider.value == 3


def test_the_sliders_code_stands_beside_it_and_fetches_nothing():
    for code in (str(Slider._esm), str(Slider._css)):
        assert len(code) > 300 and "http" not in code and "import" not in code


# ---------------------------------------------------------------- the prompt


@pytest.fixture(scope="module")
def pipe():
    return tiny.pipeline()


def test_every_control_has_a_name_to_be_read_aloud(pipe):
    widget = PromptWidget(pipe)
    assert [control.description for control in operable(widget)] == ["Prompt", "Seed", "Steps", "Guidance", "Draw"]
    assert not [w for w in descendants(widget) if isinstance(w, (Output, Image))]


def test_the_picture_is_the_one_of_the_readable_loop(pipe):
    widget = PromptWidget(pipe, "a cat", seed=3, steps=3, guidance=2.0)
    states = list(generate(pipe, "a cat", seed=3, steps=3, guidance=2.0))
    noisy, clean = ([decode(pipe, getattr(s, name))[0] for s in states] for name in ("z_t", "z_0"))
    expected = figures.film_strip(noisy, clean, [f"t = {s.t}" for s in states], decode(pipe, states[-1].z_s)[0], "a cat", seed=3)
    assert widget.figure().png == expected.png and widget.figure().alt == expected.alt
    assert '"a cat", seed 3' in expected.alt


def test_each_step_can_be_stopped(pipe):
    words = [item for item in film(pipe, "a cat", steps=3) if isinstance(item, str) and item]
    assert words == ["Step 1 of 3", "Step 2 of 3", "Step 3 of 3"]


def test_each_control_changes_the_picture(pipe):
    widget = PromptWidget(pipe, "a cat", steps=2)
    widget.redraw()
    seen = {widget.picture.png}
    for name, value in {"prompt": "red dog", "seed": 1, "steps": 3, "guidance": 1.0}.items():
        widget.controls[name].value = value
        seen.add(widget.picture.png)
    assert len(seen) == 5


def test_values_beyond_the_limits_are_brought_back(pipe):
    widget = PromptWidget(pipe, "a cat", steps=1)
    seed, steps, guidance = (widget.controls[name] for name in ("seed", "steps", "guidance"))
    steps.value, seed.value, guidance.value = 0, -5, 1e9
    assert (steps.value, seed.value, guidance.value) == (1, 0, 30)


@pytest.mark.parametrize("prompt", ["", "😀 <b>", "a" * 500])
def test_any_prompt_gives_a_picture_or_a_sentence(pipe, prompt):
    widget = PromptWidget(pipe, prompt, steps=1)
    if len(prompt) > 100:
        with pytest.warns(UserWarning, match="tokens"):
            widget.redraw()
        assert widget.message.startswith(f"The prompt has 500 tokens; only the first 14 are read; dropped: {'a' * 29}…. ")
    else:
        widget.redraw()
        assert widget.message == ""
    assert widget.picture and "<b>" not in shown_html(widget)


@pytest.mark.parametrize(
    "prompt, message",
    [
        ("a cat on blue", ""),
        ("a pengiun", 'The base model was not trained on the word "pengiun" (penguin?).'),
        ("a (cat:1.3)", '"(cat:1.3)" is read as text: '),
        ("a blue dog", 'write "a dog on a blue background".'),
    ],
)
def test_advice_follows_the_picture_as_plain_text(pipe, prompt, message):
    widget = PromptWidget(pipe, prompt, steps=1)
    widget.redraw()
    assert message in widget.message and bool(message) == bool(widget.message) and widget.picture


def suggested(widget):
    """{description: button} of the suggestions that are displayed."""
    return {part.description: part for part in operable(widget) if isinstance(part, Button) and "→" in part.description}


def test_a_press_on_a_suggestion_changes_the_prompt_and_draws(pipe):
    widget = PromptWidget(pipe, "Pengiun, kedi", steps=1)
    widget.redraw()
    first = widget.picture.png
    assert list(suggested(widget)) == ["pengiun → penguin", "kedi → cat"]
    assert suggested(widget)["pengiun → penguin"].tooltip == 'Write "penguin" in place of "pengiun"'
    suggested(widget)["pengiun → penguin"].click()
    assert widget.values["prompt"] == "penguin, kedi" and list(suggested(widget)) == ["kedi → cat"]
    assert widget.picture.png != first and '"kedi"' in widget.message and '"pengiun"' not in widget.message
    suggested(widget)["kedi → cat"].click()
    assert widget.values["prompt"] == "penguin, cat" and not suggested(widget) and widget.message == ""


def test_suggestions_follow_what_is_typed_and_are_few(pipe, monkeypatch):
    widget = PromptWidget(pipe, "a cat", steps=1)
    assert not suggested(widget)
    widget.controls["prompt"].value = "gato negro"
    assert list(suggested(widget)) == ["gato negro → black cat"]
    widget.controls["prompt"].value = "a cat"
    assert not suggested(widget)
    monkeypatch.setattr(advice, "suggestions", lambda *_: [(f"word{i}", "cat") for i in range(20)])
    widget.controls["prompt"].value = "cats"
    assert len(suggested(widget)) == 8


def test_suggestions_are_there_even_if_the_drawing_fails(pipe, monkeypatch):
    widget = PromptWidget(pipe, "a cat", steps=1)
    monkeypatch.setattr(widget, "_draw", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        widget.controls["prompt"].value = "une tête de chien"
    assert list(suggested(widget)) == ["tête de chien → dog face"]


def test_suggestions_are_for_our_models_only(pipe, monkeypatch):
    monkeypatch.setattr(advice, "CLIP", len(pipe.tokenizer))
    assert not suggested(PromptWidget(pipe, "a pengiun"))


def test_the_dropped_words_come_first_then_the_advice(pipe):
    with pytest.warns(UserWarning, match="tokens"):
        *_, message = film(pipe, "cat " * 14 + "red dog", steps=1)
    dropped, colour = message.split(". ")
    assert dropped == "The prompt has 16 tokens; only the first 14 are read; dropped: red dog" and "red dog" in colour


def test_the_moments_of_a_film():
    assert evenly(20, 4) == [0, 6, 13, 19]
    assert evenly(1, 4) == [0] and evenly(3, 4) == [0, 1, 2] and evenly(2, 1) == [0]
    assert torch.tensor(evenly(1000, 4)).diff().min() > 300
