"""The canonical sentence, and the fuzzy words."""

import pytest

from edu_diffusion.data import words


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (
            dict(name="cat face", colour="blue", size="small", style="twemoji"),
            "a small cat face on a blue background, twemoji style",
        ),
        (dict(name="owl", colour="orange", place="top left"), "an owl at the top left on an orange background"),
        (dict(name="cat face", size="medium", place="centre"), "a medium-sized cat face in the middle"),
        (dict(name="french fries"), "french fries"),
        (dict(name="french fries", size="big"), "big french fries"),
        (dict(name="bus", size="big"), "a big bus"),
        (dict(name="owl", size="small"), "a small owl"),
        (dict(name="cat face", count=2, size="small"), "two small cat faces"),
        (dict(name="fox", count=3), "three foxes"),
        (dict(name="fox", colour="red", style="noto", template=1), "noto style, red background, a fox"),
        (dict(name="fox", colour="red", template=3), "a fox with red behind it"),
    ],
)
def test_captions_read_as_a_person_would_say_it(arguments, sentence):
    assert words.caption(**arguments) == sentence


@pytest.mark.parametrize(
    "one, many",
    [
        ("dog face", "dog faces"),
        ("bus", "buses"),
        ("fox", "foxes"),
        ("cherry", "cherries"),
        ("key", "keys"),
        ("torch", "torches"),
        ("french fries", "portions of french fries"),
        ("tooth", "teeth"),
        ("loaf", "loaves"),
    ],
)
def test_plurals(one, many):
    assert words.plural(one) == many


def test_there_are_ten_colours_three_sizes_nine_places():
    assert (len(words.COLOURS), len(words.SIZES), len(words.PLACES), len(words.STYLES)) == (10, 3, 9, 3)


@pytest.mark.parametrize("attribute, values", [("size", words.SIZES), ("place", words.PLACES)])
def test_the_words_for_a_value_add_up_to_one(attribute, values):
    table = [words.likelihood(attribute, word) for word in words.FITS[attribute]]
    assert [sum(column) for column in zip(*table)] == pytest.approx([1] * len(values))


def test_big_is_said_mostly_of_the_largest_and_left_of_the_corners_too():
    assert words.likelihood("size", "big") == pytest.approx([0, 0.2, 0.8])
    left = dict(zip(words.PLACES, words.likelihood("place", "left")))
    assert left["left"] == 1 and left["top left"] == left["bottom left"] == 0.25 and left["right"] == left["top right"] == 0


@pytest.mark.parametrize("attribute, value", [("size", "medium"), ("place", "bottom right")])
def test_words_are_chosen_as_often_as_they_fit(attribute, value):
    said = [words.choose_word(attribute, value, i / 1000) for i in range(1000)]
    values = list(words.SIZES if attribute == "size" else words.PLACES)
    for word in words.FITS[attribute]:
        assert said.count(word) / 1000 == pytest.approx(words.likelihood(attribute, word)[values.index(value)], abs=0.002)
