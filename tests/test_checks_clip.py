"""Lesson 05's questions: other ways to the right numbers are right, what a hint says is so, and predictions are computed."""

import math

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy, log_softmax

import edu_diffusion as ed
from edu_diffusion import steps
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import EXERCISES, arrange, verdict
from edu_diffusion.metrics.retrieval import pool
from edu_diffusion.train import clip


def one_by_one(text_emb, image_emb, logit_scale):
    return torch.stack([cosine_similarity(text[None], image_emb) for text in text_emb]) * logit_scale.exp()


def by_logarithms(*given):
    S = steps.similarity(*given)
    return -(log_softmax(S, 1).diagonal().mean() + log_softmax(S, 0).diagonal().mean()) / 2


def by_table(S):
    return -(log_softmax(S, 1).diagonal() + log_softmax(S, 0).diagonal()).mean() / 2


def own_choice(*given):
    S = steps.similarity(*given)
    return -(log_softmax(S, 1).amax(1) + log_softmax(S, 0).amax(0)).mean() / 2


def without_logarithm(*given):
    S = steps.similarity(*given)
    return -(S.softmax(0) + S.softmax(1)).diagonal().mean() / 2


def of_the_whole_table(*given):
    S = steps.similarity(*given)
    return S.logsumexp((0, 1)) - S.diagonal().mean()


def labelled(ask):
    def mine(*given):
        S = steps.similarity(*given)
        return (ask(S, torch.arange(len(S))) + ask(S.T, torch.arange(len(S)))) / 2

    return mine


def by_einsum(text_emb, image_emb, logit_scale):
    a, b = (x / x.square().sum(1, keepdim=True).sqrt() for x in (text_emb, image_emb))
    return torch.einsum("iw,jw->ij", a, b) * torch.e**logit_scale


def by_exponentials(image_emb, text_emb, logit_scale):
    odds = one_by_one(image_emb, text_emb, logit_scale).exp()
    return odds / odds.sum(1, keepdim=True)


def image_by_image(image_emb, text_emb, logit_scale):
    rows = [steps.similarity(text_emb, image[None], logit_scale)[:, 0].softmax(0) for image in image_emb]
    return torch.stack(rows)


@pytest.mark.parametrize(
    "name, mine",
    [
        ("similarity", one_by_one),
        ("similarity", by_einsum),
        ("contrastive_loss", by_logarithms),
        ("zero_shot", by_exponentials),
        ("zero_shot", image_by_image),
    ],
)
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
        ("similarity", lambda a, b, s: torch.e ** (s * steps.similarity(a, b, 0 * s)), "exp belongs to logit_scale alone"),
        ("similarity", lambda a, b, s: s.exp() * a @ b.T / a.norm(dim=1, keepdim=True) * b.norm(dim=1), "check the brackets"),
        ("similarity", lambda a, b, s: s.exp() * (a.T / a.sum(1)).T @ (b.T / b.sum(1)), "not the sum of its numbers"),
        ("similarity", lambda a, b, s: s.exp() * (a / a.norm(dim=-1)) @ (b / b.norm(dim=-1)).T, "keep the dimension"),
        ("similarity", lambda a, b, s: s.exp() * a @ b.T / (a.norm(dim=1) * b.norm(dim=1)), "make a column of the texts"),
        ("similarity", lambda a, b, s: s.exp() * cosine_similarity(a, b), "make a column of the texts"),
        ("contrastive_loss", labelled(lambda S, own: cross_entropy(own, S)), "the scores come first"),
        ("contrastive_loss", labelled(lambda S, own: cross_entropy(S, 1.0 * own)), "labels are whole numbers"),
        ("contrastive_loss", labelled(lambda S, own: cross_entropy(S, 1 + own)), "labels count from 0"),
        ("contrastive_loss", labelled(lambda S, own: cross_entropy(S, torch.arange(6))), "one label for each row"),
        ("contrastive_loss", labelled(lambda S, own: cross_entropy(S, list(range(len(S))))), "must be a tensor"),
        ("contrastive_loss", lambda a, b, s: -steps.similarity(a, b, s).trace() / len(a), "the matching pairs alone"),
        ("contrastive_loss", own_choice, "not the one with the largest score"),
        ("contrastive_loss", without_logarithm, "-log"),
        ("contrastive_loss", lambda a, b, s: by_table(torch.e ** steps.similarity(a, b, s)), "S is exponentiated twice"),
        ("contrastive_loss", of_the_whole_table, "runs over the whole table"),
        ("zero_shot", lambda v, t, s: image_by_image(v, t, torch.e**s), "the exp is inside"),
        ("zero_shot", lambda v, t, s: (e := steps.similarity(v, t, s).exp()) / e.sum(), "runs over the whole table"),
        (
            "zero_shot",
            lambda v, t, s: 1.0 * (image_by_image(v, t, s) > 0.999 * image_by_image(v, t, s).amax(1, True)),
            "a 1 and all others a 0",
        ),
        ("contrastive_loss", lambda a, b, s: by_table(a @ b.T), "not divided by the lengths and without"),
        ("zero_shot", lambda v, t, s: steps.similarity(t, v, s).view(len(v), len(t)).softmax(-1), "use .T"),
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


def test_the_lines_in_the_right_order_are_right_and_in_others_not():
    """Both losses may be computed in either order; the return stands last."""
    lines = arrange("contrastive_loss").lines
    place = {line.split()[0]: "ABCDE"[i] for i, line in enumerate(lines)}
    start = place["S"] + place["own"]
    for order in (place["of_texts"] + place["of_images"], place["of_images"] + place["of_texts"]):
        assert verdict("contrastive_loss", arrange("contrastive_loss", start + order + place["return"])).right
    assert verdict("contrastive_loss", arrange("contrastive_loss", "ABCDE")).right is False
    with pytest.raises(EduError, match="each of the letters A to E once"):
        arrange("contrastive_loss", "ABC")


def test_a_loss_of_equal_similarities_is_that_of_guessing():
    same = torch.ones(32, 4)
    loss = steps.contrastive_loss(same, same, torch.tensor(1.0))
    assert verdict("guessing", loss).right and not verdict("guessing", 3.0).right


def test_rows_change_from_the_exchanged_token_on():
    clip, tokenizer = ed.load_clip(device="cpu")
    texts = [f"a small {animal} on a blue background" for animal in ("cat", "dog")]
    ids = tokenizer(texts, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        one, two = clip.text_model(ids).last_hidden_state
    changed, exchanged = (two - one).abs().amax(1) > 1e-4, int((ids[0] != ids[1]).nonzero()[0])
    assert changed.tolist() == [i >= exchanged for i in range(len(changed))]
    assert EXERCISES["changed_rows"].right == "C"


def test_most_mistakes_of_the_shipped_clip_show_the_right_thing():
    (net, tokenizer), scene = ed.load_clip(device="cpu"), pool("core", 1)
    with torch.no_grad():
        best = steps.similarity(*clip.embeddings(net, tokenizer, scene.captions, scene.images), torch.tensor(0.0)).argmax(1)
    wrong = best != torch.arange(len(best))
    thing, ground = (getattr(scene.spec, key)[best] == getattr(scene.spec, key) for key in ("concept", "colour"))
    assert wrong.any() and (wrong & thing).sum() > wrong.sum() / 2 > (wrong & ground & ~thing).sum()
    assert EXERCISES["mistakes"].right == "B"
