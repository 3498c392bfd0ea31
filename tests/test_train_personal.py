"""DreamBooth, textual inversion and full fine-tuning: they run, keep the base unchanged, and load in vanilla diffusers."""

import json

import pytest
import tiny
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from edu_diffusion import models, steps, train
from edu_diffusion.data import files, scenes, subject
from edu_diffusion.data.world import world
from edu_diffusion.errors import EduError
from edu_diffusion.train import dreambooth, inversion
from edu_diffusion.train.frozen import Frozen
from edu_diffusion.train.inversion import FILE, meaning, text, with_word


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.saved(tmp_path_factory.mktemp("tiny") / "base")


def recipe(name, base, run, **settings):
    *_, last = train.RECIPES[name](steps=2, minutes=None, run=run, model=base, device="cpu", lr=1e-2, **settings)
    return last.model


@pytest.fixture(scope="module")
def word(base, tmp_path_factory):
    """A finished inversion: its folder and the pipeline that knows the word."""
    run = tmp_path_factory.mktemp("word")
    return run / "model", recipe("inversion", base, run, batch=2)


def draw(pipe, prompt):
    return tiny.vanilla(pipe, prompt, num_inference_steps=2)


def weights(pipe, part):
    return dict(getattr(pipe, part).state_dict())


# ---------------------------------------------------------------- textual inversion


def test_exactly_one_row_differs(base, word):
    folder, pipe = word
    before, after = (weights(p, "text_encoder") for p in (models.load(base, "cpu"), pipe))
    table = next(name for name in before if name.endswith("token_embedding.weight"))
    assert len(after[table]) == len(before[table]) + 1 and torch.equal(after[table][:-1], before[table])
    start = before[table][models.load(base, "cpu").tokenizer("robot", add_special_tokens=False).input_ids].mean(0)
    assert 0 < (after[table][-1] - start).abs().max() < 0.1
    assert all(torch.equal(after[name], w) for name, w in before.items() if name != table)
    assert all(
        torch.equal(weights(pipe, part)[n], w)
        for part in ("unet", "vae")
        for n, w in weights(models.load(base, "cpu"), part).items()
    )


def test_the_file_is_tiny_and_vanilla_draws_the_same(base, word):
    folder, pipe = word
    assert (folder / FILE).stat().st_size < 2000
    assert {k: tuple(v.shape) for k, v in load_file(folder / FILE).items()} == {"<zib>": (1, 32)}
    vanilla = models.load(base, "cpu")
    plain = draw(vanilla, "a cat")
    with models.quiet():
        vanilla.load_textual_inversion(folder / FILE)
    assert_close(draw(vanilla, "a <zib>"), draw(pipe, "a <zib>"), rtol=1e-4, atol=1e-4)
    assert torch.equal(draw(vanilla, "a cat"), plain)  # a prompt without the word
    assert not torch.allclose(draw(vanilla, "a <zib>"), plain, atol=1e-4)


def test_nothing_but_the_row_gets_a_gradient(base):
    frozen = Frozen(base, "cpu")
    pipe = with_word(frozen.pipe, "<zib>", meaning(frozen.pipe, "robot"))
    row = torch.nn.Parameter(pipe.text_encoder.get_input_embeddings().weight.data[-1:])
    text(pipe, row, ["a <zib> on a red background", "a cat"])[0].sum().backward()
    assert row.grad.abs().sum() > 0
    assert all(p.grad is None for p in pipe.text_encoder.parameters())


def test_the_row_is_read_as_the_library_reads_it(base):
    frozen = Frozen(base, "cpu")
    pipe = with_word(frozen.pipe, "<zib>", torch.ones(1, 32))
    row = pipe.text_encoder.get_input_embeddings().weight.data[-1:]
    assert_close(text(pipe, row, ["a <zib>"]), steps.embed(pipe, "a <zib>"))
    assert "<zib>" not in frozen.pipe.tokenizer.get_vocab()


def test_a_word_for_a_style(base, tmp_path):
    recipe("inversion", base, tmp_path, kind="style", batch=2)
    assert list(load_file(tmp_path / "model" / FILE)) == ["<contrast>"]
    facts = json.loads((tmp_path / "model" / "card.json").read_text())
    assert facts["trained"] == 32 and facts["kind"] == "style" and facts["steps"] == 2
    assert facts["sha256"] == files.checksums(tmp_path / "model")


def test_a_word_for_a_thing(base, tmp_path):
    recipe("inversion", base, tmp_path, kind="thing", thing="cat face", batch=8)
    learned = load_file(tmp_path / "model" / FILE)["<mystery>"]
    assert 0 < (learned - meaning(models.load(base, "cpu"), "thing")).abs().max() < 0.1
    facts = json.loads((tmp_path / "model" / "card.json").read_text())
    told = {key: facts[key] for key in ("kind", "thing", "word", "start", "trained", "steps")}
    assert told == {"kind": "thing", "thing": "cat face", "word": "<mystery>", "start": "thing", "trained": 32, "steps": 2}


def test_the_scenes_of_a_thing_never_say_its_name():
    images, captions = inversion.pictures("<mystery>", "fox")
    assert images.shape == (8, 3, 64, 64) and len({str(c) for c in captions}) == 8
    assert captions[1] == "a big <mystery> in the middle on a yellow background, twemoji style"
    assert all("<mystery>" in c and "fox" not in c for c in captions)


def test_the_scenes_of_a_thing_are_many_and_none_is_held_out():
    for i in world().tier("core").tolist():
        rows = inversion.thing_rows(world().concepts[i])
        for part, least in (("colour", 2), ("style", 2), ("size", 3), ("place", 4)):
            assert len({r[part] for r in rows}) >= least
        spec = scenes.spec_of(rows)
        assert (spec.concept == i).all()
        assert world().colour_allowed[i, spec.colour].all() and world().style_allowed[i, spec.style].all()
        assert not {r["colour"] for r in rows} & {r["colour"] for r in subject.HELD_OUT}
    assert {r["style"] for r in inversion.thing_rows(inversion.core_concept("fox"))} == set(scenes.STYLES)


def test_a_thing_outside_the_core_is_a_sentence(base):
    with pytest.raises(EduError, match="a core concept, such as .*not 'chinchilla'"):
        recipe("inversion", base, None, kind="thing", thing="chinchilla")


def test_what_inversion_cannot_learn_is_a_sentence(base):
    with pytest.raises(EduError, match="a subject or a style or a thing, not 'canny'"):
        recipe("inversion", base, None, kind="canny")


# ---------------------------------------------------------------- DreamBooth


@pytest.mark.parametrize("prior", [True, False])
def test_dreambooth_changes_the_unet_alone(base, tmp_path, prior):
    pipe = recipe("dreambooth", base, tmp_path, prior=prior, pictures=3, batch=2)
    before, kept = models.load(base, "cpu"), models.load(tmp_path / "model", "cpu")
    assert not torch.equal(kept.unet.conv_in.weight, before.unet.conv_in.weight)
    for part in ("vae", "text_encoder"):
        assert all(torch.equal(weights(kept, part)[name], w) for name, w in weights(before, part).items())
    assert_close(draw(kept, "a cat"), draw(pipe, "a cat"), rtol=0.05, atol=0.05)  # the file has half precision
    facts = json.loads((tmp_path / "model" / "card.json").read_text())
    assert facts["prior"] is prior and facts["trained"] == sum(p.numel() for p in pipe.unet.parameters())


def test_the_learners_own_loss_runs_in_the_recipe(base):
    seen = []

    def mine(own, prior, weight):
        seen.append((own.shape, prior.shape, weight))
        return dreambooth.prior_loss(own, prior, weight)

    recipe("dreambooth", base, None, loss=mine, weight=0.5, pictures=3, batch=2)
    assert seen == [((2, 4, 16, 16), (2, 4, 16, 16), 0.5)] * 2


def test_the_prior_is_what_the_base_draws(base):
    frozen = Frozen(base, "cpu")
    captions = [row["prompt"] for row in subject.class_rows(2)]
    z_0, c = dreambooth.drawn(frozen, captions, seed=4)
    *_, last = steps.generate(frozen.pipe, captions, seed=4)
    assert_close(z_0, last.z_s)
    assert_close(c, frozen.text(captions))


def test_the_prior_counts_by_its_weight():
    own, prior = torch.full((1, 2), 2.0), torch.full((1, 2), 3.0)
    assert dreambooth.prior_loss(own, prior, 0.5) == 4 + 4.5


# ---------------------------------------------------------------- full fine-tuning


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_finetune_leaves_a_whole_pipeline(base, tmp_path, prior):
    recipe("finetune", base, tmp_path, batch=2, prior=prior, pictures=3)
    kept, before = models.load(tmp_path / "model", "cpu"), models.load(base, "cpu")
    assert not torch.equal(kept.unet.conv_in.weight, before.unet.conv_in.weight)
    assert torch.equal(kept.vae.decoder.conv_in.weight, before.vae.decoder.conv_in.weight)


def test_finetune_learns_from_your_own_examples(base):
    asked = []

    def mine(n, seed):
        asked.append(n)
        return subject.scenes_of(subject.TRAINING[:n], "zib robot")

    recipe("finetune", base, None, batch=3, examples=mine)
    assert asked == [3, 3]
