"""Advice on prompts: what a learner is told, and that captions of the world and the frozen prompts get none."""

import random

import pytest
import tiny

from edu_diffusion.data import advice, foreign, phrases, scenes, school, vocabulary
from edu_diffusion.data.world import prompts, world
from edu_diffusion.errors import EduError

pytestmark = pytest.mark.fault("silent")

CAPTIONS_ONLY = "but on short English captions of emoji scenes only"
SILENT = ("full", "open", "category", "aliases", "heldout_colour", "heldout_style", "counts", "pairs")


def said(prompt, **more):
    return " ".join(advice.advice(prompt, **more))


# ---------------------------------------------------------------- unknown words


@pytest.mark.parametrize(
    "prompt, sentence",
    [
        ("a pengiun on blue", 'the word "pengiun" (penguin?).'),
        ("Pengiun", 'the word "pengiun" (penguin?).'),
        ("a strawbery, red backgroud", 'the words "strawbery" (strawberry?), "backgroud" (background?).'),
        ("a fluffy cat on bule", 'the words "fluffy", "bule" (blue, '),
        ("a cat under a tree", 'the word "under".'),
        ("a cat with a heart-shaped hat", 'the word "heart-shaped".'),
    ],
)
def test_unknown_words_are_quoted_with_the_nearest_known(prompt, sentence):
    (only,) = advice.advice(prompt)
    assert only.startswith("The base model was not trained on ") and sentence in only and CAPTIONS_ONLY not in only


@pytest.mark.parametrize(
    "prompt",
    [
        "eine Katze auf blauem Hintergrund",
        "un gato negro sobre fondo blanco",
        "mavi arka planda bir kedi",
        "Кіт на синьому тлі",
        "masterpiece, best quality, absurdres, 8k uhd, cinematic lighting, dog, photorealistic",
    ],
)
def test_a_prompt_of_mostly_unknown_words_gets_one_sentence_with_an_example(prompt):
    (only,) = advice.advice(prompt)
    assert "most words of this prompt" in only and CAPTIONS_ONLY in only and f'"{advice.EXAMPLE}"' in only
    assert "most words of this negative prompt" in said(prompt, negative=True)


@pytest.mark.parametrize("prompt, word", [("猫", "猫"), ("Käse", "käse"), ("earbuds", "earbuds")])
def test_one_unknown_word_is_quoted_even_so(prompt, word):
    assert f'the word "{word}", {CAPTIONS_ONLY}' in said(prompt)


def test_a_long_list_is_cut_off():
    new = " ".join(letter * 40 for letter in "bdfhjlm")
    assert said(f"draw me a cat and a dog and a pear in the middle, please, {new}").endswith('jjjjj…" and 2 more.')


def test_what_is_offered_is_known_and_hardly_ever_wrong():
    """For the typos that captions contain: the word that was meant is among those offered, and mostly the first."""
    words = sorted({word for c in scenes.batch(400, 4).captions for word in phrases.split(c)} & world().vocabulary)
    typos = [(word, phrases.misspelled(word, random.Random(i))) for i, word in enumerate(words) if len(word) > 4]
    offers = [(word, advice.nearest(typo)) for word, typo in typos if not advice.is_known(typo)]
    assert len(offers) > 100 and {other for _, some in offers for other in some} <= vocabulary.known()
    assert max(len(some) for _, some in offers) == 3
    assert sum(word in some for word, some in offers) > 0.9 * len(offers)
    assert sum(some[:1] == [word] for word, some in offers) > 0.8 * len(offers)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "😀",
        "...",
        "a zib robot",
        "a cat face, contrast style",
        "a <zib> on blue",
        "a <mystery>, <contrast> style",
        "5 dogs",
        "four cats",
        "the dog's house, the cats' house, the penguin's house",
        "a piñata",
        "could I have a birthday cake?",
        "'a cat' — “a dog”",
        "I’d like a jack-o-lantern",
        "noto-style pear",
        "w/ a cat",
    ],
)
def test_known_words_fillers_numbers_and_punctuation_are_no_mistake(prompt):
    assert said(prompt) == ""


@pytest.mark.parametrize(
    "prompt, meant",
    [
        ("a Katze on blue", '"katze" (German for cat?)'),
        ("EIN HUND", '"hund" (German for dog?)'),
        ("zwei Schmetterlinge", '"schmetterlinge" (German for butterfly?)'),
        ("CŒUR", '"cœur" (French for red heart?)'),
        ("la tete de chien", '"tete de chien" (French for dog face?)'),
        ("une chauve-souris", '"chauve-souris" (French for bat?)'),
        ("une chauve souris", '"chauve souris" (French for bat?)'),
        ("dos gatos", '"gatos" (Spanish for cat?)'),
        ("un pinguino", '"pinguino" (Spanish for penguin'),
        ("İnek", '"inek" (Turkish for cow'),
        ("IŞIK ve KEDİ", '"kedi" (Turkish for cat?)'),
        ("кіт", '"кіт" (Ukrainian for cat?)'),
        ("Bär", '"bär" (German for bear?)'),
        ("Ba\u0308r", '"bär" (German for bear?)'),  # as a Mac names its files
        ("eine Katze auf blauem Hintergrund", '"katze" (German for cat?)'),
        ("mavi arka planda bir kedi", '"kedi" (Turkish for cat?)'),
    ],
)
def test_names_in_other_languages_are_answered_with_the_english_word(prompt, meant):
    assert meant.rstrip("?)") in said(prompt)


def test_a_name_that_several_languages_have_is_read_in_that_of_its_neighbours():
    """ "bomba" is Spanish and Turkish."""
    read = {words: [item.language for item in advice.unknowns(words)] for words in ("kedi bomba", "gato bomba")}
    assert read == {"kedi bomba": ["Turkish"] * 2, "gato bomba": ["Spanish"] * 2}


@pytest.mark.parametrize("prompt", ["a piñata", "pizza", "a chocolate pan on blue", "sushi at home, not a robot"])
def test_words_that_are_english_too_are_not_translated(prompt):
    assert not [item for item in advice.unknowns(prompt) if item.language]


@pytest.mark.parametrize(
    "prompt, text, offer, new",
    [
        ("a Pengiun, the PENGIUN's house", "pengiun", "penguin", "a penguin, the penguin's house"),
        ("Une  Tête-de chien!", "tête de chien", "dog face", "Une  dog face!"),
        ("bule, blue, bules", "bule", "blue", "blue, blue, bules"),
        ("İnek", "inek", "cow", "cow"),
        ("Ba\u0308r", "bär", "bear", "bear"),
        ("aujourd’hui", "aujourd'hui", r"\1", r"\1"),
        ("a cat", "dog", "cow", "a cat"),
    ],
)
def test_a_suggestion_takes_the_place_of_the_whole_word(prompt, text, offer, new):
    assert advice.replaced(prompt, text, offer) == new


@pytest.mark.parametrize("prompt", ["a pengiun", "Katze", "trois pommes vertes", "gato on bule", "a (strawbery:1.3) BREAK kedi"])
def test_every_suggestion_leads_to_a_prompt_with_fewer_unknown_words(prompt):
    pairs = advice.suggestions(tiny.tokenizer(), prompt)
    left = [len(advice.unknowns(advice.replaced(prompt, *pair))) for pair in pairs]
    assert left and set(left) == {len(advice.unknowns(prompt)) - 1}


def test_a_class_is_not_offered_what_it_refuses(monkeypatch):
    monkeypatch.setenv(school.SWITCH, "")
    assert advice.suggestions(tiny.tokenizer(), "bombe hund") == [("bombe", "bomb"), ("hund", "dog")]
    monkeypatch.setenv(school.SWITCH, "1")
    assert advice.suggestions(tiny.tokenizer(), "bombe hund") == [("hund", "dog")] and "(bomb" not in said("bombe hund")


def test_every_name_means_something_that_captions_say():
    tiers = {world().by_id[id].tier for ids in foreign.names().values() for id in ids.values()}
    assert tiers == {"core", "wide"} and 4000 < sum(map(len, foreign.names().values())) < 6000
    assert {language for ids in foreign.names().values() for language in ids} == set(foreign.LANGUAGES.values())
    assert (world().root / "names.csv").stat().st_size < 150_000


# ---------------------------------------------------------------- syntax


@pytest.mark.parametrize(
    "prompt, quoted, instead",
    [
        ("a (cat:1.3) on blue", "(cat:1.3)", "raise the guidance"),
        ("a (big cat:.8)", "(big cat:.8)", "weights"),
        ("a ((cat))", "((cat))", "brackets"),
        ("a [cat] on blue", "[cat]", "brackets"),
        ("a [cat:dog:10]", "[cat:dog:10]", "plain words"),
        ("a cat BREAK a dog", "BREAK", "never split"),
        ("a cat <lora:pixel:0.8>", "<lora:pixel:0.8>", 'load_lora(pipe, "pixel")'),
        ("a cat <lyco:x>", "<lyco:x>", 'load_lora(pipe, "x")'),
        ("a cat <hypernet:anime:1>", "<hypernet:anime:1>", 'load_hyper("anime", pipe)'),
    ],
)
@pytest.mark.parametrize("negative", [False, True])
def test_syntax_of_other_programs_is_read_as_text(prompt, quoted, instead, negative):
    (only,) = advice.advice(prompt, negative)
    assert only.startswith(f'"{quoted}" is read as text: ') and instead in only


def test_each_kind_of_syntax_gets_one_sentence():
    assert len(advice.advice("a (cat:1.3) BREAK (dog:1.2) <lora:x:1> <lora:y:1>")) == 3


@pytest.mark.parametrize(
    "prompt", ["an orange (the fruit!) on white", "a cat :)", "a <zib> robot", "draw a broken heart", "PLEASE BREAK"]
)
def test_plain_brackets_and_learned_words_are_no_syntax(prompt):
    assert not advice.syntax(prompt)


# ---------------------------------------------------------------- colours


@pytest.mark.parametrize(
    "prompt, thing, instead",
    [
        ("a blue dog", "blue dog", 'write "a dog on a blue background"'),
        ("Red car", "red car", 'write "a car on a red background"'),
        ("two grey elephants, noto style", "grey elephants", 'write "elephants on a grey background"'),
        ("a blue red apple", "blue red apple", 'write "a red apple on a blue background"'),
        ("an orange animal", "orange animal", 'write "an animal on an orange background"'),
        ("a picture of blue dogs", "blue dogs", 'write "dogs on a blue background"'),
        ("a blue dog on a red background", "blue dog", 'leave out "blue"'),
        ("a blue dog on gray", "blue dog", 'leave out "blue"'),
    ],
)
def test_a_colour_before_a_thing_names_the_background(prompt, thing, instead):
    (only,) = advice.advice(prompt)
    assert only == f'A colour names the background in this world, not the thing: for "{thing}", {instead}.'
    assert said(prompt, negative=True) == ""


@pytest.mark.parametrize(
    "prompt",
    [
        "a green apple",
        "two red hearts",
        "an orange",
        "an orange and a pear",
        "a black cat",
        "a light blue heart",
        "green salad",
        "a blue dog on a blue background",
        "a grey dog on gray",
        "a dog on blue",
        "a dog, blue background",
        "blue, a dog",
        "a cat, red. dog",
        "on plain blue noto style",
        "in front of blue - dog",
        "with blue behind it a dog",
        "a blue thingy",
    ],
)
def test_colours_in_names_and_of_backgrounds_are_no_mistake(prompt):
    assert "colour" not in said(prompt)


# ---------------------------------------------------------------- captions and frozen prompts


@pytest.mark.parametrize("tier", ["core", "wide"])
def test_captions_get_no_advice(tier, monkeypatch):
    monkeypatch.setattr(phrases, "misspelled", lambda text, rng: text)  # captions do not mark the typos that they contain
    captions = scenes.batch(1000, 7, tier, many=0.3).captions
    assert [(c, advice.advice(c)) for c in captions if advice.advice(c)] == []


@pytest.mark.parametrize("split", SILENT)
def test_frozen_prompts_get_no_advice(split):
    assert [(r["prompt"], said(r["prompt"])) for r in prompts(split=split) if said(r["prompt"])] == []


def test_learners_prompts_get_advice_on_words_only():
    """Those with a known name often have an adjective or a typo that no caption has; the others a noun."""
    for split, low, high in (("unseen_wording", 0.0, 0.2), ("unknown_word", 0.7, 1.0)):
        told = [advice.advice(r["prompt"]) for r in prompts(split=split)]
        assert low <= sum(map(bool, told)) / len(told) <= high
        assert all(sentence.startswith("The base model was not trained on the word") for some in told for sentence in some)


# ---------------------------------------------------------------- the model


@pytest.mark.parametrize(
    "prompt, words",
    [
        ("cat " * 14, ""),
        ("cat " * 14 + "red  Dog", "red Dog"),
        ("cat " * 13 + "cats", "cats"),
        ("cat " * 21, "cat cat cat cat cat and 2 more"),
        ("a" * 500, "a" * 29 + "…"),
    ],
)
def test_dropped_words_are_whole_and_not_too_many(prompt, words):
    assert advice.dropped(tiny.tokenizer(), prompt) == words


class Large(list):
    """Stands for the tokenizer of the original, which has 49,408 tokens."""

    def __len__(self):
        return 49_408


def test_a_model_of_another_world_knows_other_words():
    prompt = "a blue dog (astronaut:1.3) riding a unicycle"
    assert len(advice.for_model(tiny.tokenizer(), prompt)) == 3
    assert advice.for_model(Large(), prompt) == advice.syntax(prompt) != []
    assert advice.suggestions(Large(), "a pengiun") == []


def test_a_damaged_data_set_does_not_keep_anyone_from_drawing(monkeypatch):
    def damaged():
        raise EduError("emoji is damaged.")

    monkeypatch.setattr(vocabulary, "known", damaged)
    assert advice.suggestions(tiny.tokenizer(), "a pengiun") == []
    syntax, words = advice.advice("a (cat:1.3)")
    assert "(cat:1.3)" in syntax and words == "The prompt's words were not checked: emoji is damaged."
