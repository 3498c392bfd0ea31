"""Other languages: each file is complete and fits the English sentences, and no damage to one breaks a check."""

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import languages as program
import nbformat
import pytest
import test_notebooks

import edu_diffusion as ed
from edu_diffusion import errors, exercises
from edu_diffusion.cli import answers, grader, languages, lessons, main, own_run, render, report, versions, worksheet
from edu_diffusion.cli import concepts as paper
from edu_diffusion.data import advice, school
from edu_diffusion.errors import EduError, said
from edu_diffusion.exercises import CONCEPTS, EXERCISES
from edu_diffusion.install import environment
from edu_diffusion.widgets import ConceptTest, FirstPicture, messages, progress

OTHERS = languages.available()[1:]
COMMAND = "python3 tests/languages.py {} --update"
START = test_notebooks.FOLDER / "de" / "00_start.ipynb"
TOLD = "In your language: {lessons}; the other lessons are in English, their hints in your language."
TRANSLATED = sorted((code, path.name) for code in OTHERS for path in (test_notebooks.FOLDER / code).glob("*.ipynb"))


@pytest.fixture(autouse=True)
def own_languages(monkeypatch):
    """Each test reads the files anew, and begins in English."""
    monkeypatch.setattr(errors, "TRANSLATIONS", {"": {}, "en": {}})
    monkeypatch.delenv(errors.LANGUAGE, raising=False)


@pytest.fixture
def german(monkeypatch):
    monkeypatch.setenv(errors.LANGUAGE, "de")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder of language files that may be damaged, with a German one."""
    shutil.copy(languages.FOLDER / "de.po", tmp_path / "de.po")
    monkeypatch.setattr(languages, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run a verb; return its exit code, what it printed, and its errors. The language is that of the test afterwards, too."""
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    monkeypatch.setenv(errors.LANGUAGE, "")

    def run(*words):
        code = main.main([*map(str, words)])
        return code, *capsys.readouterr()

    return run


# ---------------------------------------------------------------- the files


def test_there_is_german():
    assert "de" in OTHERS and ("de", "00_start.ipynb") in TRANSLATED


@pytest.mark.parametrize("code", OTHERS)
def test_a_language_is_complete(code):
    found = list(program.faults(program.read(code), program.messages()))
    assert not found, "\n".join([f"{len(found)} sentences; {COMMAND.format(code)}, then translate in {code}.po:", *found])


def test_what_is_said_is_known_to_the_program():
    """A sentence that is no literal where it is said belongs to one of the tables in tests/languages.py."""
    assert program.uncollected() == []


@pytest.mark.parametrize("code", OTHERS)
def test_update_changes_nothing_where_nothing_is_new(code):
    catalog = program.read(code)
    program.update(catalog)
    assert program.text(catalog) == program.path(code).read_bytes()


def test_sentences_are_sorted_by_lesson_and_say_where_they_belong():
    comments = [message.auto_comments[0] for message in program.read("de") if message.id]
    of_lessons = [comment for comment in comments if comment.startswith("lesson ")]
    assert of_lessons == sorted(of_lessons) == comments[: len(of_lessons)]
    assert len(set(of_lessons)) == len(exercises.LESSONS)


@pytest.mark.parametrize(
    "english, other, fault",
    [
        ("{} is wrong", "{} ist falsch", ""),
        ("{a} and {b}", "{b} und {a}", ""),
        ("{} of {}", "{1} von {0}", ""),
        ("{} is wrong", "das ist falsch", "the {} differ"),
        ("{:g} is wrong", "{} ist falsch", "the {} differ"),
        ("{a} is wrong", "{b} ist falsch", "the {} differ"),
        ("{!r} is wrong", "{} ist falsch", "the {} differ"),
        ("it is wrong", "das ist } falsch", "a brace is alone"),
        ("`a` times `b`", "`b` mal `a`", ""),
        ("`a` is missing", "`b` fehlt", "code in `backticks` differ"),
        ("`a` is missing", "a fehlt", "code in `backticks` differ"),
        ("my_x is missing", "mein_x fehlt", "names differ"),
        ("12,288 numbers", "12.288 Zahlen", "numbers differ"),
        ("0.5 is right", "5 ist richtig", "numbers differ"),
        ("three of 4", "3 von 4", "numbers differ"),
        ("a dog", "a dog", "it is not translated"),
        ("1 + 1 = 2.", "1 + 1 = 2.", ""),
        (" and more", "und mehr", "spaces around it"),
        ("more ", "mehr", "spaces around it"),
    ],
)
def test_every_rule_finds_its_fault(english, other, fault):
    found = list(program.differences(english, other))
    assert bool(found) is bool(fault) and (not fault or any(fault in what for what in found)), found


def catalog_of(*pairs):
    made = program.Catalog("de", fuzzy=False)
    for english, other in pairs:
        made.add(english, other)
    return made


def test_what_is_missing_empty_unsure_or_no_longer_said_is_a_fault():
    catalog = catalog_of(("one", "eins"), ("two", ""), ("four", "vier"))
    catalog.add("three", "drei", flags=["fuzzy"])
    found = list(program.faults(catalog, ["one", "two", "three", "five"]))
    assert [what.split(":")[0] for what in found] == [
        "not translated",
        "changed, to be looked at again",
        "not translated",
        "no longer said",
    ]


def test_update_keeps_translations_and_marks_a_sentence_that_changed(monkeypatch):
    catalog = catalog_of(("the image is noisy", "das Bild ist verrauscht"), ("an old sentence that nobody needs", "ein alter Satz"))
    new = {"the image is very noisy": "lesson 01", "quite another one": "lesson 02"}
    monkeypatch.setattr(program, "messages", lambda: new)
    program.update(catalog)
    there = {message.id: message for message in catalog if message.id}
    assert list(there) == list(new)
    assert there["the image is very noisy"].string == "das Bild ist verrauscht" and there["the image is very noisy"].fuzzy
    assert list(catalog.obsolete) == ["an old sentence that nobody needs"] and not there["quite another one"].string
    again = program.read_po(io.BytesIO(program.text(catalog)), abort_invalid=True)
    assert len(list(program.faults(again, new))) == 3


def test_said_is_read_from_any_spelling_of_a_call():
    source = (
        'from ..errors import EduError, said\nASKED = "named"\n'
        'said("one")\nprint(said("two {}", said(\n    "thr" "ee"\n)), said(ASKED))\nsaid(item.text)\n"no sentence"'
    )
    assert program.literals(source) == (["one", "two {}", "three", "named"], ["item.text"])
    assert program.literals('from .images import said\nsaid("another function", picture)') == ([], [])


def test_a_new_table_or_a_changed_hint_is_noticed(monkeypatch):
    own = 'from edu_diffusion.errors import said\nsaid(words)\nsaid("a sentence")'
    monkeypatch.setattr(program, "sources", lambda: {"cli/new.py": own})
    assert program.uncollected() == ["cli/new.py: words"] and program.messages()["a sentence"] == "cli/new.py"
    question = EXERCISES["same_name"]
    monkeypatch.setitem(question.words, "A", "another hint.")
    monkeypatch.setattr(program, "sources", lambda: {})
    found = list(program.faults(program.read("de"), program.messages()))
    assert "not translated: 'another hint.'" in found and any("no longer said: 'not one number differs" in what for what in found)


# ---------------------------------------------------------------- said


def test_english_is_as_it_was():
    assert said("{:g} is not it.", 2.0) == "2 is not it." and said("Right: {}", "{}") == "Right: {}"
    assert said("a brace { alone") == "a brace { alone"


def test_another_language_and_back(german, monkeypatch):
    assert said("Not yet: {}", said("this is not a number.")) == "Noch nicht: das ist keine Zahl."
    assert said("nobody has translated {}", 3) == "nobody has translated 3" and said("nor this") == "nor this"
    monkeypatch.setenv(errors.LANGUAGE, "en")
    assert said("Not yet: {}", 1) == "Not yet: 1"


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("wrong", ["{} {}", "{0.real.x}", "{name}", "{:d}", "{"])
def test_a_translation_with_other_places_is_english(wrong, monkeypatch):
    monkeypatch.setattr(errors, "TRANSLATIONS", {"": {"It is {}.": wrong}})
    assert said("It is {}.", "x") == "It is x."


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:100_001]),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00" * 50),
    "a merge": lambda path: path.write_text(f"<<<<<<< HEAD\n{path.read_text(encoding='utf-8')}", encoding="utf-8"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "no quotes": lambda path: path.write_text('msgid "Right: {}"\nmsgstr Richtig\n'),
}


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_one_warning_and_english(damage, folder, german, capsys):
    DAMAGES[damage](folder / "de.po")
    assert ed.verdict("same_name", "B").words.startswith("Right: ") and ed.verdict("same_name", "A").right is False
    told = capsys.readouterr().err
    if damage != "empty":  # it is a language of which nothing is translated
        assert told.count("\n") == 1 and "the language 'de'" in told and "sentences are in English" in told


@pytest.mark.fault("ugly")
def test_a_language_that_there_is_not_is_one_warning(monkeypatch, capsys):
    monkeypatch.setenv(errors.LANGUAGE, "../../x")
    assert said("Right: {}", 1) == "Right: 1" and said("Right: {}", 2) == "Right: 2"
    assert capsys.readouterr().err == (
        f"edu_diffusion: the language '../../x' is not one of {', '.join(languages.available())}; sentences are in English.\n"
    )
    assert languages.chosen() == "en"


def test_a_translation_that_waits_for_a_review_is_not_used(folder, german):
    text = (folder / "de.po").read_text(encoding="utf-8")
    (folder / "de.po").write_text(text.replace('#, python-brace-format\nmsgid "Right: {}"', '#, fuzzy\nmsgid "Right: {}"'))
    assert said("Right: {}", 1) == "Right: 1" and said("Not yet: {}", 1) == "Noch nicht: 1"


def test_in_a_process_of_its_own():
    """As in a kernel: the variable alone, and a babel that is missing."""
    code = "import sys; {}; import edu_diffusion as ed; print(ed.verdict('same_name', 'B').words)"
    spoken = []
    for first in ("", "sys.modules['babel'] = None"):
        ran = subprocess.run(
            [sys.executable, "-c", code.format(first or "0")],
            capture_output=True,
            env={**os.environ, errors.LANGUAGE: "de", "PYTHONPATH": str(program.ROOT), "PYTHONUTF8": "1"},
            encoding="utf-8",
            check=True,
        )
        spoken.append((ran.stdout.split(":")[0], "sentences are in English" in ran.stderr))
    assert spoken == [("Richtig", False), ("Right", True)]


# ---------------------------------------------------------------- verdicts


def translated(sentence, *values, **named):
    """The German sentence as its file has it, and not the English one: the tests hold when a translation gets better."""
    assert errors.translations()[sentence] != sentence or not re.search("[A-Za-z]{2}", sentence)
    return errors.translations()[sentence].format(*values, **named) if values or named else errors.translations()[sentence]


@pytest.mark.parametrize("name", EXERCISES)
def test_every_known_answer_gets_its_translated_sentence(name, german):
    exercise = EXERCISES[name]
    if isinstance(exercise, exercises.Choice):
        for letter, words in exercise.words.items():
            before = "Richtig" if letter == exercise.right else f"Nicht {letter}"
            assert ed.verdict(name, letter).words == f"{before}: {translated(words)}"
    elif isinstance(exercise, exercises.Number):
        assert ed.verdict(name, exercise.right).words == f"Richtig: {translated(exercise.praise)}"
        hints = [ed.verdict(name, value).words for _, value in exercise.wrong]
        assert hints == [f"Noch nicht: {translated(words)}" for words, _ in exercise.wrong]
    else:
        assert ed.verdict(name, exercise.reference).words.startswith(f"Richtig: {translated(exercise.praise)}")
        hints = {ed.verdict(name, mistake).words for _, mistake in exercise.wrong[:2]}
        assert hints <= {f"Noch nicht: {translated(words)}" for words, _ in exercise.wrong}


@pytest.mark.parametrize(
    "mine, sentence, values",
    [
        (None, "Nothing to check yet: you have not written my_{}.", ["q_sample"]),
        (3, "this is {}, not a function; give its name without brackets.", ["etwas vom Typ int"]),
        (lambda x_0, eps, a: None, "it returns nothing; does it end with `return`?", []),
        (lambda x_0, eps, a: x_0[0], "the result has the shape {}; it must be {}", [(3, 4, 5), (2, 3, 4, 5)]),
        (lambda x_0, eps, a: x_0[0], ": dimension {}, of size {}, is missing", [0, 2]),
        (lambda x_0, eps, a: x_0 + ep, "{} is not defined; do you mean {}?", ["ep", "eps"]),  # noqa: F821
        (lambda x_0, eps, a: exit(), "it calls exit, which ends Python; a function ends with `return`.", []),
        (
            lambda x_0, eps, a: 2 * (a**0.5 * x_0 + (1 - a) ** 0.5 * eps),
            "your result is always {:.4g} times the expected one: a constant factor is wrong or missing.",
            [2.0],
        ),
        (
            lambda x_0, eps, a: a * x_0 + 3 * eps,
            "your result is {}; expected is {}.",
            ["0.300 x_0 + 3.000 eps", "0.548 x_0 + 0.837 eps"],
        ),
        (lambda x_0, eps, a: x_0, "the result is {} itself, unchanged.", ["x_0"]),
        (lambda x_0, eps, a: x_0 @ eps, " That means: {}", [""]),
    ],
)
def test_what_the_numbers_reveal_is_translated(mine, sentence, values, german):
    words = translated(sentence, *values)
    assert words in ed.verdict("q_sample", mine).words


def test_nothing_of_a_verdict_is_left_in_english(german):
    """With a language that replaces every letter of what it translates, what remains is not translated."""
    errors.TRANSLATIONS["de"] = {
        sentence: re.sub(r"\{[^}]*\}|[A-Za-z]", lambda found: found[0] if found[0][0] == "{" else "_", sentence)
        for sentence in program.messages()
    }
    tries = [0, 2, 3, "x", None, "A", "", [1], lambda *_: None, lambda *given: given[0], lambda x, *_: [x], lambda x, *_: x * 0]
    names = set("my q sample noisy batch pixel variance same name x eps abar t str list int function TypeError A B C D".split())
    for name in ("q_sample", "noisy_batch", "pixel_variance", "same_name"):
        for mine in tries:
            words = ed.verdict(name, mine).words
            own = re.sub(r"_ TypeError: .*|<function .*", "", words)  # what Python says
            assert set(re.findall("[A-Za-z]+", own)) <= names, words


def test_the_box_the_lines_and_the_function_in_use(german, capsys):
    box = ed.check("same_name", "A")
    assert f'aria-label="{translated("not yet")}"' in box._repr_html_()
    assert translated("{} of {} right in this lesson", box.done, 6) in repr(box)
    assert f'aria-label="{translated("The lines of {}, shuffled", "name_seed")}"' in ed.arrange("name_seed")._repr_html_()
    with pytest.raises(EduError, match=translated("use each of the letters A to {} once; this is {!r:.40}.", "D", "AB")):
        ed.arrange("name_seed", "AB")
    ed.use("name_seed", EXERCISES["name_seed"].reference), ed.use("name_seed", None), ed.use("name_seed", lambda name: 1)
    used, ours = "From here on your my_{} is used.", "From here on our own function is used: my_{} is not {} yet."
    expected = [used, ours.replace("{} yet", "written yet"), ours.replace("{} yet", "right yet")]
    assert capsys.readouterr().out.splitlines() == [translated(sentence, "name_seed") for sentence in expected]


def test_an_answer_that_is_not_there_yet_is_no_mistake(german, monkeypatch):
    assert ed.check("same_name").right is None and ed.check("same_name", "").right is None
    missing = translated(": run the cell above in which you write it.")
    stopped = "Not yet: the cell that defines {} stopped with an error; read its last line and correct that first."
    for cells, right, words in (([], None, missing), (["my_same_name = ("], False, translated(stopped, "my_same_name"))):
        kernel = types.SimpleNamespace(user_ns={"In": [*cells, "this cell"]})
        monkeypatch.setattr(exercises.lookup, "notebook", lambda kernel=kernel: kernel)
        box = ed.check("same_name")
        assert box.right is right and words in repr(box)


def test_nbgrader_gets_the_words(german, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(AssertionError, match=translated(EXERCISES["same_name"].words["A"])):
        ed.check("same_name", "A")


# ---------------------------------------------------------------- what is handed in


STUB = "pass  # your code here"
HEAD = "def my_q_sample(x_0, eps, abar_t):\n    "


@pytest.fixture
def asked():
    return answers.questions(lessons.source(), EXERCISES)


def test_answers_are_judged_in_german_and_their_process_gets_no_hints(german, asked):
    question = asked["01_noise"]["q_sample"]
    bodies = ["return abar_t * x_0 + (1 - abar_t) * eps", "return (", "import os; os.fork()", "return x_0 + ep"]
    bodies += ["return abar_t**0.5 * x_0 + (1 - abar_t) ** 0.5 * eps"]
    given = [grader.Given(question, "ada", source) for source in [*(HEAD + body for body in bodies), ""]]
    found = [verdict.words for verdict in grader.judged(given)]
    hints = EXERCISES["q_sample"].wrong
    assert found[0] == f"Noch nicht: {translated(hints[0][0])}" and translated("the cell is no Python: {}.", "")[:-1] in found[1]
    assert translated("an answer may not start a process, use the network or call compiled libraries") in found[2]
    assert translated("it stopped with {}: {}", "NameError", "") in found[3]
    praise = translated(EXERCISES["q_sample"].praise)
    assert found[4:] == [f"Richtig: {praise}", translated("{} is not written yet.", "my_q_sample")]
    passed_on = grader.machinery()
    assert "it stopped with {}: {}" in passed_on and not [words for words, _ in hints if words in passed_on]


def test_a_stub_with_comments_in_another_language_is_not_written(asked):
    question = asked["00_start"]["same_name"]
    for letter in ("", "A"):
        assert answers.is_written(f'my_same_name = "{letter}"  # A, B, C oder D\n{STUB}', question) is bool(letter)
    function = asked["01_noise"]["q_sample"]
    assert not answers.is_written(f"# schreib hier\n{HEAD}{STUB}", function)
    assert answers.is_written("my_same_name = (", question), "what is no Python is an answer, too"


def test_the_report_of_a_german_class(tmp_path, command):
    source = lessons.without_solutions((test_notebooks.FOLDER / "de" / "00_start.ipynb").read_bytes()).decode()
    (tmp_path / "otter").mkdir()
    answered = source.replace('my_same_name = \\"\\"', 'my_same_name = \\"A\\"').replace(
        'my_same_sum = \\"\\"', 'my_same_sum = \\"B\\"'
    )
    (tmp_path / "otter" / "00_start.ipynb").write_text(answered, encoding="utf-8")
    key = "".join(item.right for item in CONCEPTS)
    for when, letters in (("before", "A" + key[1:]), ("after", "A" + key[1:])):
        (tmp_path / "otter" / f"concepts_{when}.txt").write_text(letters)
    code, out, err = command("report", tmp_path, "--language", "de")
    assert (code, err) == (0, "") and re.search(r"\w+ +00 +\w+\notter +1/6 +1/6", out)
    first = "{} learners, {} answers; each question takes some seconds for a whole class."
    assert out.startswith(translated(first, 1, 6)) and "pseudonym" not in out
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in page and translated(EXERCISES["same_name"].words["A"]) in page
    assert (
        translated("the seed is the image") in page
        and translated("Commonest mistakes") in page
        and "1 von 6" in page
        and CONCEPTS[0].text not in page
    )
    for word in re.findall(r"<h2>([^<]*)|<th[^>]*>([^<]*)", page):
        assert not {"answers", "mistakes", "learners", "right", "hint"} & set("".join(word).split())


# ---------------------------------------------------------------- pages, widgets, advice


def test_the_concept_test_on_paper(tmp_path, command):
    file = tmp_path / "test.html"
    code, out, err = command("concepts", "--paper", file, "--language", "de")
    page = file.read_text(encoding="utf-8")
    assert (code, err) == (0, "") and "12 Fragen" in out and '<html lang="de">' in page
    assert f"<h1>{translated('Concept test')}</h1>" in page
    sentences = [text for item in CONCEPTS for text in (item.text, *item.options.values(), *item.misconceptions.values())]
    assert not [text for text in sentences if text in page]
    questions, key = page.split('<div class="key">')
    believed = [translated(belief) for item in CONCEPTS for belief in item.misconceptions.values()]
    assert (
        all(belief in key for belief in believed)
        and not all(belief in questions for belief in believed)
        and believed[0] in paper.keys(CONCEPTS)
    )


def test_the_concept_test_in_a_notebook(german, tmp_path):
    test = ConceptTest(CONCEPTS, "after", str(tmp_path))
    assert test.children[-2].description == translated("Save my answers")
    assert translated(CONCEPTS[0].text) in test.children[0].value
    labels = [label for label, _ in test.choices[0].options]
    assert labels == [*(f"{k}  {translated(v)}" for k, v in CONCEPTS[0].options.items()), translated("I leave this out")]
    test.choices[0].value, test.choices[1].value = "A", CONCEPTS[1].right
    test.save()
    assert (tmp_path / "concepts_after.txt").read_text() == f"A{CONCEPTS[1].right}----------\n"
    lines = re.findall("<li>([^<]*)</li>", test.message.value)
    belief = translated(CONCEPTS[0].misconceptions["A"])
    assert lines[0] == translated("not {}: that would mean that {}; right is {}", "A", belief, CONCEPTS[0].right)
    assert lines[1:] == [translated("right"), *[translated("left out")] * 10]


def test_a_worksheet(tmp_path, command):
    code, out, err = command("worksheet", "00_start", "--out", tmp_path / "w.html", "--language", "de")
    page = (tmp_path / "w.html").read_text(encoding="utf-8")
    assert (code, err) == (0, "") and f"<h1>{title(START).lstrip('# ')}</h1>" in page and '<html lang="de">' in page
    assert "Datum" in page and "Your" not in page
    assert translated("Your answer, and why:") in page and translated("Your lines:") in worksheet.room(True)


def test_the_first_lessons_box(german):
    box = FirstPicture(ed.load("base", "cpu"), "ein Fuchs")
    names = [getattr(control, "description", "") for control in box.children[0].children]
    expected = [translated(name) for name in ("First seed", "Draw", "Again", "Surprise me")]
    assert [name for name in names if name] == ["Prompt", *expected] and box.stop.description == translated("Stop")
    assert box.children[1].children[0].tooltip == translated('Write "{}" in place of "{}"', "fox", "fuchs")
    assert "Vier Bilder" in box.figure().alt and ", ".join(f"Seed {n}" for n in range(4)) in box.figure().alt


def test_slides_are_german_and_leave_out_what_the_english_ones_do(command, tmp_path):
    """What is told apart by its words, such as a line for learners only, has German words there."""
    pages = {}
    for code in ("en", "de"):
        assert command("slides", "00", "--out", tmp_path / f"{code}.html", "--language", code)[0] == 0
        pages[code] = (tmp_path / f"{code}.html").read_text(encoding="utf-8")
    for tag in ("<section", "<details", "<img ", "<figcaption"):
        assert pages["en"].count(tag) == pages["de"].count(tag) > 0, tag
    assert '<html lang="de">' in pages["de"] and "<summary>Antwort</summary>" in pages["de"] and ">Schließen<" in pages["de"]
    left = re.sub(r"<(?:script|style)>[\s\S]*?</(?:script|style)>", "", pages["de"])
    assert not re.search(r"Ab hier wird|richtig in dieser|Zum Vertiefen|>Answer<|Next slide|In the notebook|Right:", left)


def test_slides_of_a_lesson_that_is_not_translated_are_the_english_ones(command, tmp_path):
    for code in ("en", "de"):
        assert command("slides", "06", "--out", tmp_path / f"{code}.html", "--language", code)[0] == 0
    assert (tmp_path / "en.html").read_text(encoding="utf-8") == (tmp_path / "de.html").read_text(encoding="utf-8")


def test_progress_has_a_bar_in_every_language(german):
    steps = progress.all_states(iter("abc"), 3)
    told = [next(steps), next(steps)]
    assert told == ["Schritt 1 von 3", "Schritt 2 von 3"] and 'value="2" max="3"' in messages.progress_bar(told[1])
    assert 'max="20"' in messages.progress_bar("Step 3 of 20") and not messages.progress_bar("Schritt 3 und 20")


def test_advice_and_refusals(german, monkeypatch):
    unknown = translated('"{}" ({} for {}?)', "katze", "Deutsch", "cat")
    base, colour = "The base model was not trained on {}.", "A colour names the background in this world, not the thing: "
    assert advice.advice("a Katze on blue") == [translated(base, translated("the word {}", unknown))]
    instead = translated('write "{}"', "a dog on a red background")
    assert advice.advice("a red dog") == [translated(colour + 'for "{} {}", {}.', "red", "dog", instead)]
    monkeypatch.setenv(school.SWITCH, "1")
    with pytest.raises(EduError) as refused:
        school.check("a bomb")
    refusal = 'In this class "{}" is not drawn ({}); choose something else, such as "{}".'
    assert str(refused.value) == translated(refusal, "bomb", translated("weapon"), school.EXAMPLE)


def test_the_question_of_ones_own_images(german, capsys):
    ed.own_run("blue-otter"), ed.own_run("blue-otter", own_run.computed("blue-otter").right)
    asked, right = capsys.readouterr().out.splitlines()
    assert asked == translated(own_run.ASKED) and right.startswith("Richtig: ")


# ---------------------------------------------------------------- lessons


def bare(source):
    """The syntax tree of a cell as a text, without what a translation changes: texts and comments."""

    class Texts(ast.NodeTransformer):
        def visit_Constant(self, node):
            return ast.Constant("") if isinstance(node.value, str) else node

        def visit_JoinedStr(self, node):
            return ast.JoinedStr([self.visit(part) for part in node.values if isinstance(part, ast.FormattedValue)])

    return ast.dump(Texts().visit(ast.parse(source)))


CALLS = re.compile(r'\b(?:ed|metrics|world|figures|scenes)\.\w+\("([^"]*)"|\b(?:run|seed|model)="([^"]*)"|"(\w+\.(?:png|gif))"')


def unlike(english, other):
    """Yield how a translated lesson differs from the English one in more than words."""
    if [cell.id for cell in english.cells] != [cell.id for cell in other.cells]:
        yield "other cells"
        return
    for cell, mine in zip(english.cells, other.cells):
        if (cell.cell_type, cell.metadata) != (mine.cell_type, mine.metadata):
            yield f"{cell.id}: another kind or metadata"
        elif cell.cell_type == "code" and bare(cell.source) != bare(mine.source):
            yield f"{cell.id}: other code"
        elif cell.cell_type == "code" and CALLS.findall(cell.source) != CALLS.findall(mine.source):
            yield f"{cell.id}: other names"
        elif versions.answer_of(cell) != versions.answer_of(mine) or versions.checked(cell) != versions.checked(mine):
            yield f"{cell.id}: another question"
        elif cell.source.startswith("# NBVAL") != mine.source.startswith("# NBVAL"):
            yield f"{cell.id}: compared in one language only"
        elif cell.cell_type == "markdown" and cell.source == mine.source:
            yield f"{cell.id}: not translated"
        elif cell.cell_type == "markdown" and marks(cell.source) != marks(mine.source):
            yield f"{cell.id}: other headings, options, code, formulas or addresses: {marks(cell.source) ^ marks(mine.source)}"


def marks(text):
    """What a text cell has in every language: kinds of headings, options, code, links, numbers of a formula."""
    formulas = [re.sub(r"\\(?:text|operatorname)\{[^}]*\}", "", formula) for formula in re.findall(r"\$\$?[^$]+\$\$?", text)]
    code = [words for words in re.findall(r"`[^`]+`", text) if re.fullmatch(r"`(?:[a-z_.]+\(?\)?|my_\w+\.?\w*|%)`", words)]
    return {*re.findall(r"^#+ |^\* \*\*[A-D]\*\*", text, re.MULTILINE), *formulas, *code, *re.findall(r"<http[^>]*>", text)}


def pair(code, name):
    return [nbformat.read(folder / name, as_version=4) for folder in (test_notebooks.FOLDER, test_notebooks.FOLDER / code)]


@pytest.mark.parametrize("code, name", TRANSLATED)
def test_a_translated_lesson_is_the_same_lesson(code, name):
    assert list(unlike(*pair(code, name))) == []


@pytest.mark.parametrize("code, name", TRANSLATED)
def test_a_translated_lesson_obeys_the_rules(code, name):
    """Those of its outputs count from the first time on that it was rendered."""
    _, notebook = pair(code, name)
    nbformat.validate(notebook)
    rules = [test_notebooks.faults_of_form, test_notebooks.faults_of_style, test_notebooks.faults_of_questions]
    rules += [test_notebooks.faults_of_outputs] * bool(test_notebooks.outputs(notebook))
    assert [fault for rule in rules for fault in rule(notebook)] == []
    assert (test_notebooks.FOLDER / code / name).stat().st_size <= render.MOST_BYTES


def test_nothing_but_lessons_lies_beside_a_translation():
    for code in OTHERS:
        names = {path.name for path in (test_notebooks.FOLDER / code).glob("*") if not path.name.startswith((".", "my_"))}
        assert names <= {path.name for path in test_notebooks.FOLDER.glob("*.ipynb")} | {"terms.csv"}


def change(cell, old, new):
    def changed(notebook):
        (found,) = [one for one in notebook.cells if one.id == cell]
        assert old in found.source
        found.source = found.source.replace(old, new)

    return changed


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda notebook: notebook.cells.pop(4), "other cells"),
        (lambda notebook: notebook.cells[4].update(id="x"), "other cells"),
        (lambda notebook: notebook.cells[7].metadata.pop("tags"), "same: another kind"),
        (change("same-run", "seed=seed", "seed=seed + 1"), "same-run: other code"),
        (change("same-run", "(7, 7, 8)", "(7, 8, 8)"), "same-run: other code"),
        (change("names", "{name_seed(name)}", "{name}"), "names: other code"),
        (change("same-check", "same_name", "same_sum"), "same-check: other names"),
        (change("train", "my_first_model", "mein_modell"), "train: other names"),
        (change("wall", "my_picture.gif", "mein_bild.gif"), "wall: other names"),
        (change("same-run", "# NBVAL_CHECK_OUTPUT\n", ""), "same-run: compared in one"),
        (change("same-text", "* **D**", "**D**"), "same-text: other headings"),
        (change("further", "\\sqrt", ""), "further: other headings"),
        (change("write-text", "`.strip()`", "`.streifen()`"), "write-text: other headings"),
        (change("end", "2112.10752", "2112.10753"), "end: other headings"),
        (
            lambda notebook: notebook.cells[4].update(source=pair("de", "00_start.ipynb")[0].cells[4].source),
            "see-text: not translated",
        ),
    ],
)
def test_a_difference_is_found(damage, words):
    english, other = pair("de", "00_start.ipynb")
    damage(other)
    assert [what for what in unlike(english, other) if what.startswith(words)], list(unlike(english, other))


def title(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"][0].strip()


def test_a_learner_gets_the_translated_lessons_and_the_english_ones_for_the_rest(tmp_path, monkeypatch, german):
    assert lessons.copy(lessons.source(), tmp_path) == []
    assert title(tmp_path / "00_start.ipynb") == title(START)
    assert title(tmp_path / "01_noise.ipynb") == title(lessons.source() / "01_noise.ipynb")
    assert not (tmp_path / "de").exists() and "SOLUTION" not in (tmp_path / "00_start.ipynb").read_text(encoding="utf-8")
    assert languages.told(lessons.source()) == translated(TOLD, lessons="00_start")
    monkeypatch.setenv(errors.LANGUAGE, "en")
    assert lessons.copy(lessons.source(), tmp_path) == [] and languages.told(lessons.source()) is None
    assert title(tmp_path / "00_start.ipynb") == "# 00 Start: a prompt becomes a picture", "untouched, so it follows the language"
    assert not (tmp_path / "de").exists()


def test_a_changed_copy_stays_and_the_other_language_lies_beside_it(tmp_path, german, monkeypatch):
    lessons.copy(lessons.source(), tmp_path)
    (tmp_path / "00_start.ipynb").write_text("mine")
    monkeypatch.setenv(errors.LANGUAGE, "en")
    assert "00_start.new.ipynb" in lessons.copy(lessons.source(), tmp_path)[0]
    assert (tmp_path / "00_start.ipynb").read_text() == "mine"


def test_a_language_without_lessons_says_so(folder, monkeypatch, tmp_path):
    shutil.copy(folder / "de.po", folder / "xy.po")
    monkeypatch.setenv(errors.LANGUAGE, "xy")
    assert languages.told(lessons.source()) == translated("All lessons are in English; their hints are in your language.")
    with pytest.raises(EduError, match="there are no lessons in .*xy; translated are those of de"):
        languages.folder(lessons.source())
    assert languages.own(lessons.source() / "01_noise.ipynb") == lessons.source() / "01_noise.ipynb"


@pytest.mark.parametrize("more", [[], ["--nbgrader"]])
def test_assign(tmp_path, command, more):
    code, out, err = command("assign", tmp_path, "00", "01", "--language", "de", *more)
    assert (code, err) == (0, "") and translated(TOLD, lessons="00_start") in out
    (start,) = tmp_path.rglob("00_start.ipynb")
    (noise,) = tmp_path.rglob("01_noise.ipynb")
    assert title(start) == title(START) and title(noise) == title(lessons.source() / "01_noise.ipynb")


def test_lab_says_which_lessons_are_german(tmp_path, command, monkeypatch):
    started = []
    monkeypatch.setattr(environment, "home", lambda: tmp_path)
    monkeypatch.setattr("edu_diffusion.cli.lab.run_instead", lambda *given: started.append(os.environ[errors.LANGUAGE]))
    code, out, err = command("lab", "--language", "de")
    assert (code, err, started) == (0, "", ["de"]) and translated(TOLD, lessons="00_start") in out
    assert title(tmp_path / "work" / "00_start.ipynb") == title(START)


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("verb", [["lab"], ["assign", "x"], ["report", "x"], ["worksheet", "00_start"], ["concepts"], ["render"]])
def test_an_unknown_language_is_one_sentence(verb, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edu_diffusion.cli.lab.run_instead", lambda *given: None)
    code, out, err = command(*verb, "--language", "klingon")
    assert (code, out) == (2, "")
    assert err == f"edu_diffusion: there is no language 'klingon'; there are {', '.join(languages.available())}\n"
    assert not list(tmp_path.iterdir())


def test_render_takes_the_folder_of_the_language(command, monkeypatch):
    seen = []
    monkeypatch.setattr(render, "render", lambda path: seen.append(path) or 1)
    command("render", "00_start"), command("render", "--language", "de")
    assert seen == [lessons.source() / "00_start.ipynb", lessons.source() / "de" / "00_start.ipynb"]


def test_the_files_travel_with_a_wheel():
    """Whatever lies in the package does; this is where they lie."""
    assert languages.FOLDER.parent == Path(ed.__file__).parent and report.PRACTICE in program.messages()
