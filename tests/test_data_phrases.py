"""Natural captions: every fact is expressed, every word is in the vocabulary, nothing false is said."""

import random

import pytest

from edu_diffusion.data import phrases, scenes, words
from edu_diffusion.data.world import world

FACTS = phrases.Facts(("pizza",), 1, "big", "top left", "gray", "noto")


def sayings(facts, n=300):
    return [phrases.say(facts, random.Random(i)) for i in range(n)]


def test_the_same_seed_says_the_same():
    assert sayings(FACTS, 20) == sayings(FACTS, 20) and len(set(sayings(FACTS))) > 280


def test_what_is_named_is_heard():
    """But for a typo in a few: the thing, its colour in either spelling, its style, a word for its place."""
    heard = [s.lower() for s in sayings(FACTS)]
    for words_ in (("pizza",), ("gray", "grey"), ("noto",), ("left",), phrases.SIZES["big"]):
        assert sum(any(word in s for word in words_) for s in heard) > 285


def test_what_is_not_named_is_not_heard():
    heard = [set(s.lower().replace(",", " ").split()) for s in sayings(phrases.Facts(("pizza",)))]
    said = {*words.COLOURS, *words.STYLES, "left", "right", "top", "bottom", "background", "grey", "middle", "style"}
    assert not any(one & said for one in heard)


@pytest.mark.parametrize(
    "facts, start",
    [
        (phrases.Facts(("pear",), 2), "pears"),
        (phrases.Facts(("pear", "fox")), "fox"),
        (phrases.Facts((), said="something to wear", size="small"), "to wear"),
    ],
)
def test_plurals_pairs_and_categories(facts, start):
    assert sum(start in s.lower() for s in sayings(facts)) > 285


def test_an_adjective_stands_inside_a_category():
    assert phrases.with_adjectives("an animal", ["big"]) == "a big animal"
    assert phrases.with_adjectives("something to wear", ["old"]) == "something old to wear"


def test_a_typo_is_one_slip():
    for i in range(200):
        text = phrases.misspelled("a purple hamburger", random.Random(i))
        assert abs(len(text) - 18) <= 1 and sum(a != b for a, b in zip(text.split(), "a purple hamburger".split())) <= 1


def test_the_vocabulary_holds_every_word_that_is_said(monkeypatch):
    monkeypatch.setattr(phrases, "misspelled", lambda text, rng: text)
    said = {word for c in scenes.batch(600, 3, many=0.3).captions for word in phrases.split(c)}
    assert said <= world().vocabulary and len(said) > 400
