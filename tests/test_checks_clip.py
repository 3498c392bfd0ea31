"""Lesson 05's exercises: other ways to the right numbers are right, and what a hint says is so."""

import math

import pytest
import torch
from torch.nn.functional import cosine_similarity, log_softmax

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.train import clip


def one_by_one(text_emb, image_emb, logit_scale):
    return torch.stack([cosine_similarity(text[None], image_emb) for text in text_emb]) * logit_scale.exp()


def by_logarithms(*given):
    S = steps.similarity(*given)
    return -(log_softmax(S, 1).diagonal().mean() + log_softmax(S, 0).diagonal().mean()) / 2


@pytest.mark.parametrize("name, mine", [("similarity", one_by_one), ("contrastive_loss", by_logarithms)])
def test_another_way_to_the_same_numbers_is_right(name, mine):
    assert verdict(name, mine).right


def test_the_references_are_what_the_recipe_runs():
    for name in ("similarity", "contrastive_loss"):
        assert EXERCISES[name].reference is getattr(steps, name)
    assert EXERCISES["contrastive_loss"].reference is clip.contrastive_loss


@pytest.mark.parametrize(
    "name, mine, words",
    [
        ("similarity", lambda a, b, s: (a * b).sum(-1), "stopped with RuntimeError"),
        ("similarity", lambda a, b, s: 0.9 * steps.similarity(a, b, s), "always 0.9 times the expected"),
        ("similarity", lambda a, b, s: steps.similarity(a, b, s)[:2], r"shape \(2, 5\); it must be \(3, 5\)"),
        ("similarity", lambda a, b, s: a.div_(9) @ b.T, "changes what it is given"),
        ("contrastive_loss", lambda a, b, s: steps.similarity(a, b, s), r"shape \(4, 4\); it must be \(\)"),
        ("contrastive_loss", lambda a, b, s: s, "logit_scale itself, unchanged"),
    ],
)
def test_other_mistakes_get_a_sentence_too(name, mine, words):
    right, said = verdict(name, mine)
    assert right is False and __import__("re").search(words, said), said


def test_the_hint_on_own_pairs_is_true():
    """Where all captions and pictures are one point, that loss is 0, and ours is that of guessing."""
    same, scale = torch.ones(4, 3), torch.tensor(2.0)
    words, wrong = EXERCISES["contrastive_loss"].wrong[-1]
    assert "one and the same embedding" in words and abs(wrong(same, same, scale)) < 1e-6
    assert steps.contrastive_loss(same, same, scale).item() == pytest.approx(math.log(4))
