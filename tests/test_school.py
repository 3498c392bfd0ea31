"""The school switch: what is on the list is refused wherever a prompt is typed, and nothing else is."""

import ast
import base64
import csv
import json
import os
import subprocess
import sys

import pytest
import tiny
from ipywidgets import Text

import edu_diffusion
from edu_diffusion import steps
from edu_diffusion.cli import lab, lessons, main
from edu_diffusion.data import files, school, words
from edu_diffusion.errors import EduError
from edu_diffusion.figures import Picture
from edu_diffusion.install import environment
from edu_diffusion.widgets import Explore

CAPTIONS = list(csv.DictReader((files.folder("datasets", "emoji") / "captions.csv").read_text(encoding="utf-8").splitlines()))
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==")
# Keywords of CLDR that call for a decision, and the concepts that were read and kept all the same.
SENSITIVE = set("weapon gun sword alcohol booze beer wine smoking gambling underwear death dead skull sexy swearing".split())
KEPT = {
    "winking face", "expressionless face", "face with crossed-out eyes", "flushed face", "zombie", "person fencing",
    "ginger root", "amphora", "boomerang", "shield", "shorts", "x-ray",
}  # fmt: skip


@pytest.fixture(autouse=True)
def off(monkeypatch):
    """Without the switch at first; a test that turns it on leaves nothing behind."""
    monkeypatch.setenv(school.SWITCH, "")


@pytest.fixture
def on(monkeypatch):
    monkeypatch.setenv(school.SWITCH, "1")


# ---------------------------------------------------------------- the list


def test_every_concept_with_a_sensitive_keyword_was_decided():
    found = {r["name"] for r in CAPTIONS if SENSITIVE & {*r["keywords"].split("|"), *r["name"].split()}}
    listed = {r["name"] for r in CAPTIONS if r["id"] in school.excluded()}
    assert not KEPT & listed and found <= listed | KEPT
    assert {"dagger", "bomb", "water pistol", "beer mug", "wine glass", "middle finger", "skull", "cigarette"} <= listed


def test_the_rows_name_concepts_of_this_world_once_and_with_a_reason():
    ids = {r["id"] for r in CAPTIONS}
    assert school.excluded() <= ids and len(school.excluded()) > 30
    assert all(r["reason"] and r["word"] == r["word"].lower() for r in school.rows())
    assert len({r["word"] for r in school.rows()}) == len(school.rows())


def test_names_are_refused_exactly_for_the_listed_concepts():
    for row in CAPTIONS:
        for sentence in (row["name"], words.caption(row["name"], "blue", "big", "top left", "noto"), words.plural(row["name"])):
            assert bool(school.refused(sentence)) == (row["id"] in school.excluded()), sentence


@pytest.mark.parametrize(
    "text",
    ["a BOMB", "two bombs", "ｂｏｍｂ", "bo\u200bmb", "bómb", "middle_finger", "Middle-Finger", "🖕", "knives", "a gun, a cat",
     "whiskies", "a death’s head", "something scary or dangerous on a blue background"],
)  # fmt: skip
def test_other_spellings_of_a_listed_word_are_found(text):
    assert school.refused(text)


@pytest.mark.parametrize(
    "text",
    ["", "a cat face in the middle", "a fork and knife", "a fork and knife with plate", "person with skullcap", "a begun drumstick",
     "a glass of milk", "a bullet train", "a rugby football", "a ghost", "grapes", "a swimming pool", "12"],
)  # fmt: skip
def test_words_that_only_look_like_one_are_not(text):
    assert school.refused(text) is None


def test_the_sentence_says_what_and_what_to_do_and_only_with_the_switch(monkeypatch):
    school.check("a bomb", ["a skull"])
    monkeypatch.setenv(school.SWITCH, "1")
    school.check("a cat", ["a dog", ("a cake",)], None, 3)
    for prompts in (["a bomb"], ["a cat", ["a dog", "a bomb"]]):
        with pytest.raises(EduError, match=r'In this class "bomb" is not drawn \(weapon\); choose something else, such as'):
            school.check(*prompts)
    assert school.refused(school.EXAMPLE) is None


def test_a_surprise_is_the_same_for_a_seed_and_never_listed(monkeypatch):
    everything = {school.surprise(seed) for seed in range(3000)}
    assert any(school.refused(prompt) for prompt in everything), "without the switch everything may come"
    monkeypatch.setenv(school.SWITCH, "1")
    prompts = [school.surprise(seed) for seed in range(3000)]
    assert not any(map(school.refused, prompts)) and prompts[:9] == [school.surprise(seed) for seed in range(9)]
    assert len(set(prompts)) > 900
    core = [r for r in CAPTIONS if r["tier"] == "core"]
    assert school.concepts() == [r["name"] for r in core if r["id"] not in school.excluded()] != [r["name"] for r in core]


# ---------------------------------------------------------------- the doors


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(edu_diffusion.models, "load", lambda name, device: tiny.pipeline())
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def run(*arguments):
        code = main.main(["generate", *map(str, arguments), "--steps", "1"])
        return code, *capsys.readouterr()

    return run


def test_generate_refuses_a_listed_word_in_both_prompts_and_in_a_pictures_settings(command, tmp_path):
    assert command("a bomb", "--out", tmp_path / "bomb.png")[0] == 0
    for arguments in (["a bomb"], ["a cat", "--negative", "a skull"], ["--from", tmp_path / "bomb.png"]):
        code, out, err = command(*arguments, "--school")
        assert code == 2 and "In this class" in err and err.count("\n") == 1
    assert command("a cat", "--school")[0] == 0
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["bomb.png", "picture.png"]


def test_lab_hands_the_switch_to_its_kernels(monkeypatch, tmp_path):
    (tmp_path / "00_start.ipynb").write_text(json.dumps({"cells": []}))
    monkeypatch.setattr(lessons, "source", lambda: tmp_path)
    handed = []
    monkeypatch.setattr(lab, "run_instead", lambda *given: handed.append(lab.lab_environment().get(school.SWITCH)))
    for words_ in (["lab", "--teacher"], ["lab", "--teacher", "--school"]):
        args, rest = main.understand(words_)
        lab.run(args, rest)
    assert handed == ["", "1"]


def test_a_widget_shows_the_sentence_in_place_of_a_picture(on):
    picture = Picture(PIXEL, "a picture")
    asked = []
    explore = Explore(lambda **values: asked.append(values) or picture, prompt=Text("a cat"), negative=Text(""))
    for name in ("prompt", "negative"):
        with pytest.raises(EduError, match="In this class"):
            explore.controls[name].value = "a bomb"
        with pytest.raises(EduError, match="In this class"):
            explore.figure()
        assert "In this class" in explore.message and explore.picture is None and not asked
        explore.controls[name].value = "a dog"
        assert explore.message == "" and explore.picture is picture and len(asked) == 1
        explore.picture = asked.clear()


@pytest.mark.parametrize("name", ["draw", "generate", "embed"])
def test_what_a_cell_calls_checks_its_prompts(name, monkeypatch):
    assert getattr(edu_diffusion, name) is getattr(steps, name), "without the switch nothing is wrapped"
    monkeypatch.setenv(school.SWITCH, "1")
    function, pipe = getattr(edu_diffusion, name), tiny.pipeline()
    for given in ("a bomb", ["a cat", "a bomb"]):
        with pytest.raises(EduError, match="In this class"):
            function(pipe, given)
    assert function.__doc__ == getattr(steps, name).__doc__
    assert function(pipe, "a cat") is not None


def test_a_negative_prompt_of_a_cell_is_checked(on):
    with pytest.raises(EduError, match="In this class"):
        edu_diffusion.draw(tiny.pipeline(), "a cat", negative="a skull", steps=1)


def test_no_lesson_asks_for_what_a_class_may_not_see():
    found = {}
    for path in sorted(files.folder("notebooks").glob("*.ipynb")):
        for i, cell in enumerate(json.loads(path.read_bytes())["cells"]):
            found |= {f"{path.name} {i}": text for text in quoted(cell) if school.refused(text)}
    assert not found


def quoted(cell):
    """The texts in quotation marks of a code cell."""
    source = "".join(cell["source"]) if cell["cell_type"] == "code" else ""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell that the learner completes
        return []
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_the_module_needs_no_heavy_library():
    code = "import sys; from edu_diffusion.data import school; school.surprise(0); print('torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {school.SWITCH: "1"})
    assert told.stdout.strip() == "False", told.stderr
