"""The exercises of lessons 10 and 13 stand for what the package runs."""

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict

NAMES = ("lora_merge", "adain")


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_and_every_mistake(name):
    exercise = EXERCISES[name]
    assert verdict(name, exercise.reference) == (True, f"Right: {exercise.praise}")
    for words, wrong in exercise.wrong:
        assert verdict(name, wrong) == (False, f"Not yet: {words}")


def test_a_learners_merge_and_adain_in_other_words():
    def merge(W, A, B, alpha, weight):
        return W + sum(weight * alpha / len(A) * torch.outer(B[:, i], A[i]) for i in range(len(A)))

    assert verdict("lora_merge", merge).right
    assert EXERCISES["adain"].reference is steps.adain

    def adain(x, reference):
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True, correction=0)
        return x * reference.std(1, keepdim=True, correction=0) + reference.mean(1, keepdim=True)

    assert verdict("adain", adain).right


def test_another_spread_is_told_from_the_right_one():
    def adain(x, reference):
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True)  # divides by n - 1
        return x * reference.std(1, keepdim=True, correction=0) + reference.mean(1, keepdim=True)

    assert verdict("adain", adain).right is False
