"""The concept test: its items, its score, on paper and in a notebook."""

import pytest

from edu_diffusion.cli import concepts as verb
from edu_diffusion.cli import main
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import CONCEPTS, concepts
from edu_diffusion.install import environment
from edu_diffusion.widgets import ConceptTest

KEY = "".join(item.right for item in CONCEPTS)


def test_every_wrong_option_is_a_named_misconception():
    assert len(CONCEPTS) == 12
    for item in CONCEPTS:
        assert sorted(item.options) == list("ABCD")
        assert {*item.misconceptions, item.right} == set("ABCD") and item.right not in item.misconceptions
        assert len(set(item.misconceptions.values())) == 3


def test_the_letters_are_spread_and_the_longest_option_is_not_always_right():
    assert all(2 <= KEY.count(letter) <= 4 for letter in "ABCD")
    longest = [max(item.options, key=lambda k: len(item.options[k])) == item.right for item in CONCEPTS]
    assert sum(longest) <= 8


def test_score_gain_and_misconceptions():
    assert concepts.score(KEY) == [True] * 12 and concepts.score("-" * 12) == [False] * 12
    wrong = ("B" if KEY[0] != "B" else "A") + KEY[1:]
    assert concepts.gain(wrong, KEY) == [1] + [0] * 11 and concepts.gain(KEY, wrong) == [-1] + [0] * 11
    assert concepts.believed(wrong) == {1: CONCEPTS[0].misconceptions[wrong[0]]} and concepts.believed(KEY) == {}
    assert concepts.read("abcd abcd . - ab") == list("ABCDABCD") + ["", ""] + list("AB")


@pytest.mark.parametrize("answers", ["ABC", "ABCDABCDABCE", "ABCDABCDABCDA", ""])
def test_answers_that_are_none(answers):
    with pytest.raises(EduError, match="12 answers, A to D"):
        concepts.read(answers)


def test_the_paper_has_every_question_and_the_key_on_a_page_of_its_own():
    questions, key = verb.page(CONCEPTS).split('<div class="key">')
    assert questions.count("<li>") == 12 * 5 and "<script" not in questions
    assert f"<td>{KEY[0]}</td>" in key and f"<td>{KEY[0]}</td>" not in questions
    assert all(m not in questions for m in ("the seed is the image;", "guidance adds knowledge"))


def test_the_verb_writes_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    assert main.main(["concepts", "--paper", str(tmp_path / "a b.html")]) == 0
    assert "12 questions" in capsys.readouterr().out
    assert (tmp_path / "a b.html").read_text(encoding="utf-8").startswith("<!doctype")


def test_in_a_notebook_answers_are_saved_and_found_again(tmp_path):
    test = ConceptTest(CONCEPTS, "before", tmp_path)
    assert test.letters() == "-" * 12
    test.choices[0].value, test.choices[3].value = "A", "D"
    test.save()
    assert (tmp_path / "concepts_before.txt").read_text() == "A--D--------\n"
    assert ConceptTest(CONCEPTS, "before", tmp_path).letters() == "A--D--------"
    assert "left out 10" in test.message.value and "<li>" not in test.message.value, "nothing is marked before the lessons"


def test_afterwards_it_says_what_was_gained(tmp_path):
    before = ConceptTest(CONCEPTS, "before", tmp_path)
    before.choices[0].value = "A"
    before.save()
    after = ConceptTest(CONCEPTS, "after", tmp_path)
    after.choices[0].value, after.choices[1].value = "B", "A"
    after.save()
    said = after.message.value
    assert "right, and not before (you chose A)" in said and "not A: that would mean that guidance searches; right is C" in said
    assert said.count("left out") == 11  # ten items, and the sentence that counts them


def test_another_time_is_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="before"):
        ConceptTest(CONCEPTS, "now", tmp_path)
