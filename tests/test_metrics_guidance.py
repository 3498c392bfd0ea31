"""The choice of a guidance scale, and what guidance does, of painters who do it by their own rule."""

import functools
import itertools
import sys

import pytest
import tiny
import torch

from edu_diffusion import metrics
from edu_diffusion.data import chances, scenes
from edu_diffusion.data.world import world
from edu_diffusion.metrics.guidance import chance, control_cases, habit_cases, smallest
from edu_diffusion.metrics.text_to_image import truth

GUIDANCE = sys.modules["edu_diffusion.metrics.guidance"]


@pytest.fixture(scope="module")
def network():
    return metrics.load_judge("cpu")


def paints(monkeypatch, painter):
    """Let draw() render what a painter makes of (rows, guidance, rng): a Spec."""

    def draw(pipe, rows, seed=0, guidance=None, n_steps=20, batch=None):
        rng = torch.Generator().manual_seed(seed)
        return scenes.render(painter(rows, guidance, rng), rng)[0]

    monkeypatch.setattr(GUIDANCE, "draw", draw)


def test_the_smallest_scale_within_a_point_of_the_best():
    assert smallest({1.5: 0.8, 2: 0.89, 2.5: 0.9, 3: 0.88}) == 2
    assert smallest({1.5: 0.8, 2: 0.889, 2.5: 0.9}) == 2.5 and smallest({4: 0.5, 1.5: 0.5}) == 1.5


def test_the_choice_is_the_scale_from_which_all_is_right(monkeypatch, network):
    def painter(rows, guidance, rng):
        spec = truth(rows)
        return spec if guidance >= 2 else spec._replace(concept=spec.concept.roll(1))

    paints(monkeypatch, painter)
    scores = metrics.choose(None, network, candidates=(1.5, 2, 4), limit=6)
    assert scores["guidance_chosen"]["value"] == 2.0 and scores["guidance_2_all"]["n"] == 12
    assert scores["guidance_2_all"]["value"] == 1 and scores["guidance_1.5_all"]["value"] < 0.3


def test_the_plain_call_is_the_librarys_own(monkeypatch, network):
    asked = []
    monkeypatch.setattr(GUIDANCE, "draw", lambda pipe, rows, *more: asked.append(more) or scenes.render(truth(rows))[0])
    scores = metrics.plain_call(tiny.pipeline(), network, limit=4)
    assert asked == [(0, 7.5, 50, None)] and scores["plain_call_all"]["value"] == 1 and scores["plain_call_all"]["n"] == 8


def test_guidance_that_makes_right_and_narrow(monkeypatch, network):
    def painter(rows, guidance, rng):
        spec = truth(rows)
        if guidance == 1:
            wrong = torch.arange(len(rows)) % 2 == 0
            return spec._replace(concept=torch.where(wrong, spec.concept.roll(7), spec.concept))
        return scenes.Spec(*(part[::4].repeat_interleave(4) for part in spec))

    paints(monkeypatch, painter)
    scores = metrics.effect(None, network, guidance=3.0, seeds=4, limit=5)
    assert scores["guided_accuracy_gain"]["low"] > 0 and scores["guided_accuracy"]["n"] == 10
    assert scores["guided_variety_gain"]["high"] < 0 and scores["guided_variety_gain"]["unit"] == "RMS"


def habitual(sharpened):
    """A stand-in that samples the world's own scenes, and with guidance gives some prompts of `sharpened` the value in question."""

    def painter(rows, guidance, rng):
        names = [name_of(r["prompt"]) for r in rows]
        parts = [world().sample(len(list(same)), rng, name=name) for name, same in itertools.groupby(names)]
        spec = metrics.single([torch.cat(column) for column in zip(*parts)])
        for concept, part, value in sharpened() if guidance > 1 else ():
            mine = torch.tensor([name == concept.name for name in names]) & (torch.rand(len(rows), generator=rng) < 0.5)
            getattr(spec, part)[mine] = chances.VALUES[part].index(value)
        return spec._replace(place=torch.where(spec.size == 2, 0, spec.place))

    return painter


@functools.cache
def name_of(prompt):
    return next(c.name for c in world().concepts if prompt in (c.name, f"a {c.name}", f"an {c.name}"))


HABITS = [h for h in world().habits if h["attribute"] == "colour"][:3]


def test_habits_sharpen_and_controls_do_not(monkeypatch, network):
    paints(monkeypatch, habitual(lambda: habit_cases(HABITS)))
    scores = metrics.habits(None, network, guidance=2.0, seeds=40, rows=HABITS)
    assert scores["habit_gain"]["low"] > 0.1 and scores["habit_gain"]["n"] == 3
    assert scores["control_gain"]["value"] == 0 and scores["control"]["n"] == 3
    assert scores["habit_alone"]["value"] == pytest.approx(scores["habit_true"]["value"], abs=0.12)


def test_controls_that_sharpen_are_seen(monkeypatch, network):
    paints(monkeypatch, habitual(lambda: control_cases(HABITS)))
    scores = metrics.habits(None, network, guidance=2.0, seeds=40, rows=HABITS)
    assert scores["control_gain"]["low"] > 0.1 and scores["habit_gain"]["value"] == 0


def test_controls_are_as_many_concepts_without_habits_for_the_same_values():
    own = {h["id"] for h in world().habits}
    cases, controls = habit_cases(), control_cases()
    assert [case[1:] for case in cases] == [case[1:] for case in controls] and len({c.id for c, _, _ in controls}) == len(cases)
    assert not own & {c.id for c, _, _ in controls} and {c.tier for c, _, _ in controls} == {"core"}
    assert all(chance(*case) > 1.5 * chance(*control) > 0 for case, control in zip(cases, controls))
