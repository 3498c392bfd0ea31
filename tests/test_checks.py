"""Exercises: the reference passes, every known mistake gets its own hint, and no answer breaks them."""

import inspect
import re

import numpy as np
import pytest
import torch

from edu_diffusion import exercises, steps
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import EXERCISES, Choice, Exercise, Number, check, verdict
from edu_diffusion.train.ddpm import noise_loss

FUNCTIONS = {name: e for name, e in EXERCISES.items() if isinstance(e, Exercise)}
CHOICES, NUMBERS = ([e.name for e in EXERCISES.values() if isinstance(e, kind)] for kind in (Choice, Number))
MISTAKES = [(e.name, words, wrong) for e in FUNCTIONS.values() for words, wrong in e.wrong]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_reference_is_right(name):
    right, words = verdict(name, EXERCISES[name].reference)
    assert right is True and words == f"Right: {EXERCISES[name].praise}"


@pytest.mark.parametrize("name, words, wrong", MISTAKES, ids=[m[0] for m in MISTAKES])
def test_every_known_mistake_gets_its_own_hint(name, words, wrong):
    right, told = verdict(name, wrong)
    stopped = told.startswith("Not yet: it stopped with ") and told.endswith(f": {words}")
    assert right is False and (stopped or told == f"Not yet: {words}")


@pytest.mark.parametrize("name", CHOICES)
def test_each_letter_has_a_sentence_of_its_own(name):
    said = {letter: verdict(name, letter) for letter in "ABCD"}
    assert [letter for letter, v in said.items() if v.right] == [EXERCISES[name].right]
    assert len({v.words for v in said.values()}) == 4 and all(len(v.words) > 60 for v in said.values())
    assert verdict(name, "").right is None and sorted(EXERCISES[name].words) == list("ABCD")


@pytest.mark.parametrize("name", NUMBERS)
def test_each_known_wrong_number_gets_its_hint(name):
    for words, number in EXERCISES[name].wrong:
        assert verdict(name, number) == (False, f"Not yet: {words}")
    assert verdict(name, EXERCISES[name].right).right


def test_the_references_are_what_lessons_and_recipes_run():
    for name in ("guide", "q_sample", "predict_x0"):
        assert EXERCISES[name].reference is getattr(steps, name)
    assert verdict("noise_loss", noise_loss).right


def stub(x_0, eps, abar_t):
    pass  # your code here


def half(x_0, eps, abar_t):
    x_t = x_0
    for _ in range(1):
        pass  # your code here
    return x_t


@pytest.mark.parametrize("mine", [None, stub, half, eval("lambda x_0, eps, abar_t: None")])
def test_nothing_written_yet(mine):
    right, words = verdict("q_sample", mine)
    assert (right, words) == (None, "Nothing to check yet: you have not written my_q_sample.")


def test_a_check_returns_a_box():
    assert check("q_sample", steps.q_sample).right is True
    assert repr(check("q_sample", steps.q_sample)).startswith("Right: ")


def test_use_gives_the_learners_function_or_ours(capsys):
    def mine(x_0, eps, abar_t):
        return steps.q_sample(x_0, eps, abar_t) * 1

    assert exercises.use("q_sample", mine) is mine
    assert exercises.use("q_sample", stub) is steps.q_sample
    assert exercises.use("q_sample", lambda *given: 0) is steps.q_sample
    told = capsys.readouterr().out.splitlines()
    assert [line.split("my_q_sample ")[1] for line in told] == ["is used.", "is not written yet.", "is not right yet."]


def fails(x_0, eps, abar_t):
    return undefined  # noqa: F821


def in_place(x_0, eps, abar_t):
    x_0 *= abar_t**0.5
    return x_0 + (1 - abar_t) ** 0.5 * eps


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda x_0, eps, abar_t: print(end=""), "does it end with `return`"),
        (lambda x_0, eps: x_0, "stopped with TypeError.*positional"),
        (fails, "NameError: name 'undefined'"),
        (in_place, "changes what it is given"),
        (lambda x_0, eps, abar_t: "text", "returns a str; it must return numbers"),
        (steps.q_sample(torch.ones(1), torch.ones(1), 0.5), "a Tensor, not a function"),
        (lambda x_0, eps, abar_t: steps.q_sample(x_0, torch.randn_like(eps), abar_t), "a different result each time"),
        (lambda *given: steps.q_sample(*given).mean(), r"shape \(\); it must be \(2, 3, 4, 5\)"),
        (lambda x_0, eps, abar_t: x_0 / 0, "NaN or infinite"),
        (lambda x_0, eps, abar_t: x_0 + eps, "your result is 1.000 x_0"),
    ],
)
def test_whatever_a_learner_writes_gets_a_sentence(mine, words):
    right, said = verdict("q_sample", mine)
    assert right is False and said.startswith("Not yet: ")
    assert __import__("re").search(words, said), said


@pytest.mark.parametrize(
    "mine",
    [
        lambda x_0, eps, abar_t: abar_t**0.5 * x_0.double() + (1 - abar_t) ** 0.5 * eps.double(),
        lambda x_0, eps, abar_t: np.asarray(steps.q_sample(x_0, eps, abar_t)),
        lambda *given: steps.q_sample(*given).requires_grad_(),
    ],
    ids=["double", "numpy", "gradient"],
)
def test_another_way_to_the_same_numbers_is_right(mine):
    assert verdict("q_sample", mine).right


def test_nearly_right_is_not_right():
    assert not verdict("q_sample", lambda *given: steps.q_sample(*given) * 1.001).right


def test_a_check_leaves_the_random_numbers_alone():
    before = torch.get_rng_state()
    for e in FUNCTIONS.values():
        verdict(e.name, e.reference)
    assert torch.equal(before, torch.get_rng_state())


def test_an_unknown_exercise_is_a_sentence():
    with pytest.raises(EduError, match="no exercise 'qsample'.*q_sample"):
        check("qsample", None)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_hints_are_different_sentences(name):
    words = [w for w, _ in EXERCISES[name].wrong]
    assert len(set(words)) >= 5 and not any(re.match("[A-Z][a-z]", w) for w in words), "they stand after a colon"
    asked = [p for p in inspect.signature(EXERCISES[name].reference).parameters.values() if p.default is p.empty]
    assert len(asked) == len(EXERCISES[name].cases()[0])
    assert set(exercises.__all__) >= {"check", "verdict"}
