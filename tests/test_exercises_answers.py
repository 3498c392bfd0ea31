"""Answers that are letters, numbers or arranged lines; the box; and an answer found by its name in a notebook."""

import contextlib
import linecache
import types

import pytest

from edu_diffusion import exercises
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import Choice, Exercise, Number, Verdict, box, choices, lines, lookup
from edu_diffusion.exercises import noise as bank

VOTE = Choice("vote", "B", {"A": "no, too few.", "B": "half of it.", "C": "no, too many."})
BYTES = Number("bytes", 48.0, (("this counts bits.", 384.0),), "twelve times fewer.")


@pytest.mark.parametrize(
    "mine, right, words",
    [
        ("", None, "put A, B or C between the quotes of my_vote"),
        (None, None, "put A, B or C"),
        ("b", True, "Right: half of it."),
        (" B. ", True, "Right: half of it."),
        ("A", False, "Not A: no, too few."),
        ("D", False, "one letter, A, B or C; this is 'D'"),
        (3, False, "one letter, A, B or C; this is 3"),
    ],
)
def test_a_letter(mine, right, words):
    judgement = choices.chosen(VOTE, mine)
    assert judgement.right is right and words in judgement.words


@pytest.mark.parametrize(
    "mine, right, words",
    [
        (None, None, "give my_bytes a number"),
        (48, True, "twelve times fewer"),
        (48.2, True, "twelve times fewer"),
        ("48", True, "twelve"),
        (384, False, "this counts bits"),
        (96, False, "2 times as large"),
        (24, False, "2 times too small"),
        (-48, False, "wrong sign"),
        (float("nan"), False, "not a number"),
        ([1], False, "this is a list"),
    ],
)
def test_a_number(mine, right, words):
    judgement = choices.counted(BYTES, mine)
    assert judgement.right is right and words in judgement.words


SUM = Exercise("sum", lambda x, y: x + y, list, (), "", lines=("def my_sum(x, y):", "    z = x + y", "    return z"))


def test_lines_are_shown_in_another_order_and_make_the_function():
    shown = lines.arranged(SUM)
    assert shown.lines == ["    return z", "    z = x + y"] and "A      return z" in repr(shown)
    assert "<li><code>    return z</code></li>" in shown._repr_html_()
    assert lines.arranged(SUM, "B, a")(2, 3) == 5
    with pytest.raises(UnboundLocalError):
        lines.arranged(SUM, "AB")(2, 3)


@pytest.mark.parametrize("order, words", [("A", "letters A to B once"), ("AA", "once; this is 'AA'"), ("ABC", "once")])
def test_letters_that_are_no_order(order, words):
    with pytest.raises(EduError, match=words):
        lines.arranged(SUM, order)


def test_lines_that_make_no_function():
    loop = SUM._replace(lines=("def my_sum(x, y):", "    for i in range(2):", "        x = x + y", "    return x"))
    right = "".join("ABC"[lines.arranged(loop).lines.index(line)] for line in loop.lines[1:])
    assert lines.arranged(loop, right)(1, 1) == 3
    with pytest.raises(EduError, match="make no function"):
        lines.arranged(loop, right[::-1])
    with pytest.raises(EduError, match="no lines to arrange"):
        lines.arranged(SUM._replace(lines=()))


def with_lines():
    return [e for e in exercises.EXERCISES.values() if isinstance(e, Exercise) and e.lines]


@pytest.mark.parametrize("exercise", with_lines(), ids=lambda e: e.name)
def test_every_exercise_with_lines_is_right_in_their_order_and_not_as_shown(exercise):
    shown = lines.arranged(exercise).lines
    letters = [lines.LETTERS[shown.index(line)] for line in exercise.lines[1:]]
    assert exercises.verdict(exercise.name, lines.arranged(exercise, "".join(letters))).right
    first = lines.LETTERS[: len(shown)]
    with contextlib.suppress(EduError):  # in this order the lines may make no function at all
        assert not exercises.verdict(exercise.name, lines.arranged(exercise, first)).right


def test_a_box_is_announced_and_does_not_speak_by_colour_alone():
    text = box.Box(Verdict(False, "Not yet: a < b."), 1, 4)._repr_html_()
    assert 'role="status" aria-live="polite"' in text and 'aria-label="not yet"' in text
    assert "a &lt; b" in text and "1 of 4 right in this lesson" in text
    assert "not answered" in box.Box(Verdict(None, "x"))._repr_html_()


def contrast(one, other):
    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear))

    a, b = sorted((light(one), light(other)))
    return (b + 0.05) / (a + 0.05)


def test_the_text_of_a_box_stands_out():
    assert all(contrast("#111111", ground) > 7 and contrast("#444444", ground) > 7 for *_, ground, _ in box.LOOKS.values())


def test_progress_counts_the_questions_of_a_lesson(monkeypatch):
    monkeypatch.setattr(exercises, "RIGHT", set())
    assert exercises.check("q_sample", lambda *given: 0).done == 0
    found = exercises.check("q_sample", exercises.EXERCISES["q_sample"].reference)
    assert (found.done, found.of) == (1, len(bank.EXERCISES))


def test_nbgrader_sees_what_is_not_right_as_an_error(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert exercises.check("q_sample", exercises.EXERCISES["q_sample"].reference).right
    for wrong in (None, lambda *given: 0):
        with pytest.raises(AssertionError, match="yet"):
            exercises.check("q_sample", wrong)


# ---------------------------------------------------------------- an answer by its name


def shell(*cells, **names):
    """A notebook in which these cells were run, the last of them just now."""
    return types.SimpleNamespace(user_ns={"In": ["", *cells, "check"], **names})


def defined(source, number=1, name="my_f"):
    """The function of a cell, as IPython makes it."""
    file, space = f"/tmp/ipykernel_1/{number}.py", {"__name__": "__main__"}
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec"), space)
    return space[name]


RIGHT, BROKEN = "def my_f(x):\n    return x", "def my_f(x)\n    return x"
LATER = "1 / 0\ndef my_f(x):\n    return 2 * x"


def test_an_answer_is_found_by_its_name():
    mine = defined(RIGHT)
    assert lookup.answer("f", shell(RIGHT, my_f=mine)) == (mine, None)
    assert lookup.answer("n", shell("my_n = 3", my_n=3)) == (3, None)


@pytest.mark.parametrize("cell", [BROKEN, LATER])
def test_an_answer_whose_newest_cell_failed_is_not_judged(cell):
    found, words = lookup.answer("f", shell(RIGHT, cell, my_f=defined(RIGHT)))
    assert found is None and "the cell that defines my_f stopped with an error" in words


@pytest.mark.parametrize("magic", ["%time my_n = 3", "my_n = !ls", "my_n = 3\nmy_n?"])
def test_the_notebooks_own_commands_are_no_failure(magic):
    assert lookup.answer("n", shell(magic, my_n=3)) == (3, None)


def test_an_answer_under_another_name():
    assert "you have defined my_ff: call it my_f" in lookup.answer("f", shell(my_ff=1))[1]
    own = defined("def f(x):\n    return x", name="f")
    own.__module__ = "__main__"
    assert "you have defined f: call it my_f" in lookup.answer("f", shell(f=own))[1]
    assert "run the cell above" in lookup.answer("f", shell())[1]


def test_outside_a_notebook_the_answer_is_passed():
    assert 'check("f", my_f)' in lookup.answer("f")[1]
    assert exercises.check("q_sample").right is None


def test_use_is_for_functions(monkeypatch):
    monkeypatch.setitem(exercises.EXERCISES, "vote", VOTE)
    with pytest.raises(EduError, match="vote is no function"):
        exercises.use("vote", "B")
