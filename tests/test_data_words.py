"""The captions' grammar."""

import pytest

from edu_diffusion.data import words


@pytest.mark.parametrize("arguments, sentence", [
    (dict(name="cat face", colour="blue", size="small", style="twemoji"),
     "a small cat face on a blue background, twemoji style"),
    (dict(name="owl", colour="orange", place="top left"), "an owl at the top left on an orange background"),
    (dict(name="french fries"), "french fries"),
    (dict(name="french fries", size="big"), "big french fries"),
    (dict(name="bus", size="big"), "a big bus"),
    (dict(name="cat face", count=2, size="small"), "two small cat faces"),
    (dict(name="fox", colour="red", style="noto", template=1), "noto style, red background, a fox"),
    (dict(name="fox", colour="red", template=3), "a fox with red behind it"),
])
def test_captions_read_as_a_person_would_say_it(arguments, sentence):
    assert words.caption(**arguments) == sentence


def test_there_are_ten_colours_three_sizes_nine_places():
    assert (len(words.COLOURS), len(words.SIZES), len(words.PLACES), len(words.STYLES)) == (10, 3, 9, 3)
