"""Extending a tokenizer and a text encoder: what was learned stays exactly the same."""

import pytest
import tiny
import torch
from torch.testing import assert_close
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from edu_diffusion import models
from edu_diffusion.models import validate
from edu_diffusion.models import vocabulary as v

CORPUS = ["a red catalogue", "a red cat", "Redo the dog's catalogue, please!", "doggy ünï 🐱"] * 3


@pytest.fixture(scope="module")
def old():
    return tiny.tokenizer()


@pytest.fixture(scope="module")
def new(old):
    return v.grow_tokenizer(old, CORPUS, 600)


def test_ids_and_merges_of_before_are_kept(old, new):
    (before, merges), (after, more) = v.bpe(old), v.bpe(new)
    assert {token: after[token] for token in before} == before and more[: len(merges)] == merges
    assert sorted(after.values()) == list(range(len(new))) and len(old) < len(new) <= 600
    assert (new.bos_token_id, new.eos_token_id, new.pad_token_id) == (old.bos_token_id, old.eos_token_id, old.pad_token_id)
    assert new.model_max_length == models.TOKENS == 48


def test_sentences_that_need_no_new_merge_keep_their_ids(old, new):
    for text in ("a cat", "red dog", "a", "", "cat!"):
        assert new(text).input_ids == old(text).input_ids
    assert len(new("catalogue").input_ids) == 3 < len(old("catalogue").input_ids)


@pytest.mark.parametrize("text", ["a red catalogue", "zebra? ünïcode 🐱 qxz", "~`", "日本", "dogs catalogues"])
def test_a_saved_one_reads_the_same_and_loses_nothing(new, text, tmp_path):
    new(text, padding="max_length", truncation=True)
    new.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again(text).input_ids == new(text).input_ids and again.get_vocab() == new.get_vocab()
    assert len(again(text, padding="max_length").input_ids) == again.model_max_length == 48
    ids = new(text).input_ids
    assert new.eos_token_id not in ids[1:-1] and new.decode(ids[1:-1]).replace(" ", "") == text.replace(" ", "")


def test_the_two_older_files_give_the_same_tokenizer(new, tmp_path):
    new.backend_tokenizer.model.save(str(tmp_path))
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again(CORPUS).input_ids == new(CORPUS).input_ids


def test_the_most_frequent_pair_comes_first_and_text_decides_between_equals(old):
    """By hand: "xy" occurs 3 times; all other pairs twice, so the alphabet orders them."""
    grown = v.grow_tokenizer(old, ["xyz xyz xyw", "qpr pqr", "qpr pqr"], 10_000)
    assert v.bpe(grown)[1][len(tiny.MERGES) :] == [
        ("x", "y"),
        ("p", "q"),
        ("p", "r</w>"),
        ("pq", "r</w>"),
        ("q", "pr</w>"),
        ("xy", "z</w>"),
    ]
    assert len(v.grow_tokenizer(old, ["xyz xyz xyw"], len(old) + 1)) == len(old) + 1
    assert v.bpe(v.grow_tokenizer(old, ["xyz xyz xyw"], 10_000, least=3))[1][len(tiny.MERGES) :] == [("x", "y")]


def test_the_tokenizer_cuts_words_as_the_learner_did(old, new):
    words = v.segments(old, CORPUS)
    count = v.count_pairs(words)
    for pair in v.bpe(new)[1][len(tiny.MERGES) :]:
        v.merge(words, count, pair)
    assert +count == v.count_pairs(words)
    assert words == v.segments(new, CORPUS) and sum(words.values()) < sum(v.segments(old, CORPUS).values())


def test_a_pair_is_joined_from_left_to_right():
    assert v.join(("a", "a", "a", "b"), ("a", "a")) == ("aa", "a", "b")
    assert v.join(("a", "b", "a", "b"), ("a", "b")) == ("ab", "ab")


# ---------------------------------------------------------------- the text encoder


def text_model(old):
    torch.manual_seed(0)
    return tiny.text_encoder(old).eval()


def clip_model(old):
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 8,
    }
    torch.manual_seed(0)
    return CLIPModel(CLIPConfig(text_config=tiny.text_encoder(old).config.to_dict(), vision_config=vision)).eval()


def ids(tokenizer, length):
    return tokenizer(["a cat", "a red dog", ""], padding="max_length", max_length=length, return_tensors="pt").input_ids


@torch.no_grad()
def test_a_grown_text_encoder_answers_as_before(old, new):
    model = text_model(old)
    before = model(ids(old, tiny.TOKENS)).last_hidden_state
    after = v.grow_text_model(model, old, new)(ids(new, 48)).last_hidden_state
    assert after.shape == (3, 48, 32)
    assert_close(after[:, : tiny.TOKENS], before, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_grown_clip_answers_as_before(old, new):
    model = clip_model(old)
    before = model.get_text_features(input_ids=ids(old, tiny.TOKENS)).pooler_output
    after = v.grow_text_model(model, old, new).get_text_features(input_ids=ids(new, 48)).pooler_output
    assert_close(after, before, atol=1e-5, rtol=0)


@pytest.mark.parametrize("build", [text_model, clip_model])
def test_new_rows_are_means_of_pieces_and_new_positions_the_last(old, new, build):
    model = build(old)
    token, place = (part.weight.clone() for part in v.embeddings(model).children())
    parts = v.embeddings(v.grow_text_model(model, old, new))
    row = parts.token_embedding.weight[new.convert_tokens_to_ids("catalogue</w>")]
    assert_close(row, token[old("catalogue").input_ids[1:-1]].mean(0))
    assert torch.equal(parts.token_embedding.weight[: len(old)], token)
    assert torch.equal(parts.position_embedding.weight, torch.cat([place, place[-1:].expand(48 - len(place), -1)]))
    assert parts.token_embedding.weight.requires_grad and parts.position_embedding.weight.requires_grad


def test_a_token_inside_a_word_is_the_mean_of_its_pieces_too(old, new):
    made = v.pieces_of_new(old, new)
    inside = [token for token, i in sorted(v.bpe(new)[0].items()) if i >= len(old) and not token.endswith("</w>")]
    assert inside and len(made) == len(new) - len(old)
    for token in inside:
        pieces = old.convert_ids_to_tokens(made[new.convert_tokens_to_ids(token) - len(old)])
        assert "".join(pieces) == token and all(len(piece) < len(token) for piece in pieces)


@pytest.mark.parametrize("build", [text_model, clip_model])
def test_a_saved_one_is_as_its_configuration_says(old, new, build, tmp_path):
    model = v.grow_text_model(build(old), old, new)
    model.save_pretrained(tmp_path)
    with models.quiet():
        again = type(model).from_pretrained(tmp_path).eval()
    config = getattr(again.config, "text_config", again.config)
    validate.words(tmp_path, new, config)
    assert (config.vocab_size, config.max_position_embeddings) == (len(new), 48)
    assert validate.shapes(again) == validate.shapes(model)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), model.state_dict().values()))
    with torch.no_grad():
        assert v.embeddings(again)(ids(new, 48)).shape[1] == 48


def test_growing_by_nothing_changes_nothing(old, new):
    model = v.grow_text_model(text_model(old), old, new)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    after = v.grow_text_model(model, new, new).state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert v.bpe(v.grow_tokenizer(new, CORPUS, len(new))) == v.bpe(new)
