"""The question of one's own as a lesson asks it: before a pseudonym stands there, and for those who do not see the images."""

import re

import pytest

import edu_diffusion as ed
from edu_diffusion.cli import own_run


def test_the_words_of_a_lesson_are_to_be_replaced(capsys):
    assert ed.own_run("your-pseudonym") is None and ed.own_run(" Your-Pseudonym ", "A") is None
    assert capsys.readouterr().out.count("in place of your-pseudonym, and run the cell again") == 2


@pytest.mark.parametrize("name", ["ada", "bob", "cleo", "blue-otter", "red-fox"])
def test_the_alt_text_says_enough_to_answer(name):
    """The largest file is that of the most noise, which shows in what neighbouring pixels differ by."""
    amounts = dict(re.findall(r"([A-D]) (\d\.\d\d)", ed.own_run(name).alt))
    assert len(set(amounts.values())) == 4
    assert max(amounts, key=amounts.get) == own_run.computed(name).right
