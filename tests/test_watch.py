"""Watching a training run: it runs to its end, and its picture replaces the previous one."""

import sys
from argparse import Namespace

import pytest

from edu_diffusion import figures, widgets

MODULE = sys.modules["edu_diffusion.widgets.live"]  # in the package the function has taken the module's name


class Handle:
    def __init__(self, picture):
        self.shown = [picture]

    def update(self, picture):
        self.shown.append(picture)


@pytest.fixture
def places(monkeypatch):
    """The places in the cell into which something was put."""
    made = []
    display = lambda picture, display_id: made.append(Handle(picture)) or made[-1]  # noqa: E731
    monkeypatch.setattr(MODULE, "display", display)
    return made


def draw(history):
    return figures.Picture(b"png", f"{len(history)} steps")


def test_one_place_shows_the_training_to_its_end(places):
    assert widgets.watch(iter("abc"), draw, every=0.0) == ["a", "b", "c"]
    assert len(places) == 1
    assert [p.alt for p in places[0].shown] == ["1 steps", "2 steps", "3 steps", "3 steps"]


def test_drawing_waits(places):
    assert len(widgets.watch(range(1000), draw, every=60)) == 1000
    assert [p.alt for p in places[0].shown] == ["1000 steps"]


def test_the_last_drawing_comes_after_the_recipe_has_ended(places):
    over = []

    def recipe():
        yield "step"
        over.append(True)

    widgets.watch(recipe(), lambda history: draw(history * (1 + len(over))), every=60)
    assert [p.alt for p in places[0].shown] == ["2 steps"]


def test_a_run_that_was_over_before_shows_nothing(places):
    assert widgets.watch(iter(()), draw) == [] and not places


def test_pauses_are_counted_from_the_end_of_a_drawing(places, monkeypatch):
    """A step takes 1, a drawing 5, the pause is 3: drawn are every third step and the end."""
    clock = [0]

    def take(seconds, result):
        clock[0] += seconds
        return result

    monkeypatch.setattr(MODULE, "time", Namespace(monotonic=lambda: clock[0]))
    widgets.watch((take(1, i) for i in range(7)), lambda history: take(5, draw(history)), every=3)
    assert [p.alt for p in places[0].shown] == ["3 steps", "6 steps", "7 steps"]


def test_an_interrupted_cell_keeps_what_was_learned(places, capsys):
    closed = []

    def recipe():
        try:
            yield from "ab"
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    assert widgets.watch(recipe(), draw, every=60) == ["a", "b"] and closed == [True]
    assert "Stopped after 2 steps" in capsys.readouterr().out and [p.alt for p in places[0].shown] == ["2 steps"]


def test_an_interruption_while_a_picture_is_drawn_closes_the_training(places):
    closed = []

    def recipe():
        try:
            yield from "abc"
        finally:
            closed.append(True)

    def draw_once(history):
        if not closed:
            raise KeyboardInterrupt
        return draw(history)

    assert widgets.watch(recipe(), draw_once, every=0.0) == ["a"] and closed == [True]


def test_an_interruption_before_the_first_step_stops_the_cell(places):
    def recipe():
        raise KeyboardInterrupt
        yield

    with pytest.raises(KeyboardInterrupt):
        widgets.watch(recipe(), draw)
    assert not places
