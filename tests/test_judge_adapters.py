"""Scores of adapters: the nearest reference recognises real sprites, and the differences are paired."""

import functools

import pytest
import torch

from edu_diffusion import models
from edu_diffusion.data import newstyle, scenes
from edu_diffusion.metrics import style as adapters
from edu_diffusion.metrics import style_aligned
from edu_diffusion.metrics.nearest import nearest_as_asked
from edu_diffusion.train.lora import save_lora, with_lora

GENERATOR = torch.Generator().manual_seed(7)


def real(style, n=24):
    rows = newstyle.rows(style, n)
    return scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0], rows


@pytest.fixture(scope="module")
def pipe():
    return models.load("base", "cpu")


def painter(monkeypatch, styled):
    """Let draw() return real scenes: in the new style if `styled()`, else in the usual one."""

    def draw(pipe, rows, seed=0, **how):
        style = "contrast" if styled() else ""
        spec = scenes.spec_of([{**r, "style": style} for r in rows])
        return scenes.render(spec, torch.Generator().manual_seed(seed))[0]

    monkeypatch.setattr(adapters, "draw", draw)


@pytest.mark.parametrize("style", ["contrast", "fluent", ""])
def test_the_nearest_drawing_names_style_and_concept(style):
    images, rows = real(style)
    seen = adapters.named(images + 0.1 * torch.randn(images.shape, generator=GENERATOR), rows, style or "twemoji")
    assert seen["style"].all() and seen["concept"].all()
    assert not adapters.named(images, rows, "noto")["style"].any()


def test_without_the_fourth_style_nothing_changes():
    images, rows = real("fluent", 8)
    assert (nearest_as_asked(images, rows)[1] == scenes.ALL_STYLES.index("fluent")).all()


def test_lora_scores_of_a_perfect_adapter(pipe, monkeypatch, tmp_path):
    """A stand-in that uses the new style whenever the adapter is loaded, else the usual one."""
    shadow = models.load("base", "cpu")
    with_lora(shadow.unet, 1, 1, "attention")
    save_lora(shadow, tmp_path / "model")
    painter(monkeypatch, lambda: bool(pipe.get_list_adapters()))
    scores = adapters.lora_scores(pipe, tmp_path / "model", seeds=(0, 1), limit=20)
    values = {name: score["value"] for name, score in scores.items()}
    assert values["style_base"] == 0 and values["style"] == values["concept_base"] == values["concept"] == 1
    assert values["style_gain"] == 1 and scores["style_gain"]["n"] == 40 and scores["style_gain"]["low"] > 0.8
    assert values["concept_change"] == 0 and scores["concept_change"]["low"] < 0
    assert values["style_ceiling"] > 0.9 and values["concept_ceiling"] > 0.9
    assert values["style_unseen"] == 1 and 0 < scores["style_unseen"]["n"] < 20
    assert values["bytes"] == (tmp_path / "model" / models.locate.LORA).stat().st_size
    assert values["trained"] == sum(p.numel() for n, p in shadow.unet.named_parameters() if ".lora_" in n)
    assert values["times_smaller"] > 10
    assert not pipe.get_list_adapters()


def test_concepts_that_were_shown_are_counted_apart():
    """An adapter that memorised its training concepts, and nothing else."""
    new = torch.tensor([True, True, False, False, False, False])
    every = torch.ones_like(new)
    before = {asked: {"style": ~every, "concept": every, "unseen": new} for asked in ("style", "usual")}
    after = {asked: {"style": every, "concept": ~new, "unseen": new} for asked in ("style", "usual")}
    values = {name: (score["value"], score["n"]) for name, score in adapters.changes(before, after).items()}
    assert values["concept"] == (pytest.approx(4 / 6, abs=1e-3), 6) and values["concept_change"][0] < 0
    assert values["concept_unseen"] == (0, 2)
    assert values["concept_shown_base"] == values["concept_shown"] == (1, 4) and values["concept_shown_change"] == (0, 4)


def test_hyper_scores_of_a_useless_one(pipe, monkeypatch, tmp_path):
    width = pipe.unet.config.cross_attention_dim
    models.save_hyper(models.build_hyper([width]), tmp_path / models.locate.HYPERNETWORK)
    painter(monkeypatch, lambda: False)
    scores = adapters.hyper_scores(pipe, tmp_path, seeds=(0,), limit=8)
    assert scores["style"]["value"] == scores["style_gain"]["value"] == 0
    assert scores["trained"]["value"] == 2 * (4 * width * width + 3 * width)


def test_agreement_of_batches():
    """Batches that agree with their first picture, and batches that do not."""
    groups = style_aligned.batches()[:3]
    assert len(style_aligned.batches()) > 15
    assert all(len(batch) == len({r["id"] for r in batch}) == style_aligned.TOGETHER for batch in groups)
    assert all(batch[0]["colour"] and batch[0]["style"] and "style" in batch[0]["prompt"] for batch in groups)
    assert not any(r["colour"] or r["style"] for batch in groups for r in batch[1:])
    flat = lambda change: [
        scenes.render(scenes.spec_of([change(r, batch[0], i) for i, r in enumerate(batch)]))[0] for batch in groups
    ]
    alike = style_aligned.agreement(flat(lambda r, lead, i: {**r, "colour": lead["colour"], "style": lead["style"]}), groups)
    other = style_aligned.agreement(
        flat(
            lambda r, lead, i: r if i == 0 else {**r, "colour": "black", "style": "noto" if lead["style"] != "noto" else "fluent"}
        ),
        groups,
    )
    assert alike["concept"].all() and other["concept"].all()
    for name in ("colour", "drawing"):
        assert (alike[name] == 1).all() and (other[name] == 0).all()
    assert (alike["likeness"] > 0).all()


def test_aligned_scores(pipe, monkeypatch):
    """Two batches at two steps: the first pictures are the same bit for bit, and everything is paired."""
    monkeypatch.setattr(style_aligned, "draw", functools.partial(style_aligned.draw, n_steps=2))
    few = style_aligned.batches()[:2]
    monkeypatch.setattr(style_aligned, "batches", lambda limit: few)
    scores = style_aligned.aligned_scores(pipe, seeds=(0,))
    assert scores["first_identical"]["value"] == 1 and scores["first_identical"]["n"] == 2
    for name in ("colour", "drawing", "likeness"):
        gain = scores[f"{name}_gain"]
        assert gain["value"] == pytest.approx(scores[name]["value"] - scores[f"{name}_alone"]["value"], abs=2e-4)
        assert gain["low"] <= gain["value"] <= gain["high"] and gain["n"] == 2
    assert scores["concept_change"]["n"] == 2 * style_aligned.TOGETHER
