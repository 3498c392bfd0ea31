"""The recipe of CLIP: it extends a smaller one, its captions name enough, and a caption true of two images is no negative."""

import pytest
import torch

from edu_diffusion import models, train
from edu_diffusion.data import phrases, scenes
from edu_diffusion.data.world import world
from edu_diffusion.models import build
from edu_diffusion.train import clip as recipe

SENTENCES = ["a tiny cat on blue", "please draw a pear at the bottom, noto style"] * 3


def spec(*rows):
    """A Spec of rows (concept, colour, other), all else the same."""
    concept, colour, other = torch.tensor(rows).T
    same = torch.zeros_like(concept)
    return scenes.Spec(concept=concept, colour=colour, other=other, style=same, size=same, place=same, count=same + 1)


def test_the_same_thing_on_the_same_colour_may_be_meant_by_both_captions():
    there = recipe.also_true(spec((5, 1, -1), (5, 1, -1), (5, 2, -1), (6, 1, -1)))
    assert there.nonzero().tolist() == [[0, 1], [1, 0]]


def test_one_thing_is_in_a_picture_of_two_but_not_two_in_a_picture_of_one():
    there = recipe.also_true(spec((5, 1, -1), (5, 1, 6), (6, 1, 5), (7, 1, 5), (6, 2, 5)))
    assert there.nonzero().tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 1]]


def test_no_name_is_that_of_two_things():
    """Otherwise captions that name different concepts could be true of each other's pictures."""
    names = [name for c in world().concepts for name in {c.name, *c.aliases}]
    assert len(set(names)) == len(names) > 1000


@pytest.fixture
def seen(monkeypatch):
    """What the recipe composes, how it asked, and what its loss is given: [(Scenes, dict, tuple)], filled as it runs."""
    found = []
    asked = []
    mixed = scenes.mixed
    loss = recipe.contrastive_loss
    monkeypatch.setattr(scenes, "mixed", lambda *args, **kw: asked.append((mixed(*args, **kw), kw)) or asked[-1][0])
    monkeypatch.setattr(recipe, "contrastive_loss", lambda *args: found.append((*asked[-1], args)) or loss(*args))
    return found


@pytest.fixture
def short(monkeypatch):
    """Few sentences to learn merges from."""
    monkeypatch.setattr(recipe, "corpus", lambda: SENTENCES)


def test_the_loss_leaves_out_what_is_also_true_and_captions_name_thing_and_colour(seen, short):
    list(train.RECIPES["clip"](steps=2, batch=32, device="cpu"))
    for scene, asked, (text, image, _, masked) in seen:
        assert set(asked["always"]) == {"concept", "colour"} and asked["many"] > 0
        assert torch.equal(masked, recipe.also_true(scene.spec)) and len(text) == len(image) == len(scene.captions) == 32
    assert len(seen) == 2


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The folder of a CLIP that reads 32 tokens."""
    with monkeypatch.context() as patch:
        patch.setattr(build, "TOKENS", 32)
        tokenizer = models.build_tokenizer(["a cat"] * 30, 540)
        model = models.build_clip(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    model.save_pretrained(tmp_path / "small")
    tokenizer.save_pretrained(tmp_path / "small")
    return tmp_path / "small"


def test_a_smaller_clip_grows_and_goes_on(small, short, tmp_path):
    before, old = models.load_clip(small, "cpu")
    *_, last = train.RECIPES["clip"](steps=2, batch=4, lr=1e-9, start=small, run=tmp_path / "run", device="cpu")
    after, new = models.load_clip(tmp_path / "run" / "model", "cpu")
    assert last.step == 2 and len(new) > len(old) and new.model_max_length == 48
    assert after.config.text_config.max_position_embeddings == 48
    for name, weight in before.state_dict().items():
        torch.testing.assert_close(
            after.state_dict()[name][: len(weight)] if weight.ndim else after.state_dict()[name], weight, atol=1e-6, rtol=0
        )
    assert "_name_or_path" not in (tmp_path / "run" / "model" / "clip" / "config.json").read_text(), "where it began is nobody's"


def test_one_that_is_long_enough_keeps_its_tokenizer(small, short, tmp_path):
    *_, _ = train.RECIPES["clip"](steps=1, batch=4, start=small, run=tmp_path / "run", device="cpu")
    _, first = models.load_clip(tmp_path / "run" / "model", "cpu")
    _, again = recipe.begin(tmp_path / "run" / "model")
    assert again.get_vocab() == first.get_vocab()


# ---------------------------------------------------------------- the language


@pytest.fixture(scope="module")
def tokenizer():
    return recipe.begin("clip")[1]


def test_captions_fit(tokenizer):
    """999 in 1000 have at most 48 tokens, start and end included."""
    rng = torch.Generator().manual_seed(99)
    spec = scenes.draw_spec(4000, rng, "wide", many=scenes.MANY)
    length = torch.tensor([len(ids) for ids in tokenizer([scenes.say(spec, i, rng) for i in range(4000)]).input_ids])
    assert (length <= models.TOKENS).float().mean() >= 0.999 and length.float().mean() > 8


def test_common_words_are_one_token_or_two(tokenizer):
    """The grammar's words and those of the core's names."""
    core = [name for c in world().concepts if c.tier == "core" for name in (c.name, *c.aliases)]
    words = sorted(phrases.vocabulary().union(*map(phrases.split, core)))
    length = torch.tensor([len(ids) - 2 for ids in tokenizer(words).input_ids])
    assert (length == 1).float().mean() > 0.9 and (length <= 2).float().mean() > 0.95
