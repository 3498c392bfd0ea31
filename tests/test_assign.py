"""The verb `assign`: learner's versions to hand out, a file that was changed stays, and a course for nbgrader."""

import json

import pytest

from edu_diffusion.cli import assign, lessons, main, versions
from edu_diffusion.install import environment

STEMS = sorted(path.stem for path in lessons.source().glob("*.ipynb"))


@pytest.fixture
def command(monkeypatch, capsys):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def run(*words):
        code = main.main(["assign", *map(str, words)])
        return code, *capsys.readouterr()

    return run


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_all_lessons_and_the_glossary_without_solutions(tmp_path, command):
    code, out, err = command(tmp_path / "out")
    assert (code, err) == (0, "")
    assert files(tmp_path / "out") == sorted([*(f"{stem}.ipynb" for stem in STEMS), "terms.csv", lessons.RECORD])
    for stem in STEMS:
        text = (tmp_path / "out" / f"{stem}.ipynb").read_text(encoding="utf-8")
        assert versions.BEGIN not in text and f"{stem}.ipynb" in out
    assert "terms.csv" in out


@pytest.mark.parametrize("name", ["01_noise", "01", "01_noise.ipynb"])
def test_one_lesson(name, tmp_path, command):
    assert command(tmp_path, name)[1] == f"{tmp_path}: 01_noise.ipynb, terms.csv\n"
    assert files(tmp_path) == [lessons.RECORD, "01_noise.ipynb", "terms.csv"]
    assert command(tmp_path, name)[1] == f"{tmp_path}: nothing new; 2 files are there already and up to date\n"


@pytest.mark.fault("lost")
def test_what_a_learner_wrote_stays(tmp_path, command):
    command(tmp_path, "01", "05")
    own = tmp_path / "01_noise.ipynb"
    own.write_text("mine")
    code, out, _ = command(tmp_path, "01", "05")
    assert code == 0 and own.read_text() == "mine"
    record = json.loads((tmp_path / lessons.RECORD).read_text())
    record["01_noise.ipynb"] = "an older version"
    (tmp_path / lessons.RECORD).write_text(json.dumps(record))
    code, out, _ = command(tmp_path, "01", "05")
    assert code == 0 and own.read_text() == "mine" and "saved beside it: 01_noise.new.ipynb" in out
    assert versions.BEGIN not in (tmp_path / "01_noise.new.ipynb").read_text(encoding="utf-8")


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("options", [[], ["--nbgrader"]])
def test_an_unknown_lesson_is_said_and_nothing_written(options, tmp_path, command):
    code, _, err = command(tmp_path / "out", "1", *options)
    assert code == 2 and "there is no lesson 1; the lessons are 00_start, 01_noise" in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.fault("ugly")
def test_a_file_in_the_place_of_the_folder_is_said(tmp_path, command):
    (tmp_path / "out").write_text("")
    for options in ([], ["--nbgrader"]):
        code, _, err = command(tmp_path / "out", "01", *options)
        assert code == 2 and "Traceback" not in err


def test_a_course_for_nbgrader_has_the_solutions_the_points_and_our_stub(tmp_path, command):
    code, out, _ = command(tmp_path, "01", "--nbgrader")
    assert code == 0 and "nbgrader generate_assignment 01_noise" in out
    path = tmp_path / "source" / "01_noise" / "01_noise.ipynb"
    assert files(tmp_path) == [lessons.RECORD, "nbgrader_config.py", path.relative_to(tmp_path).as_posix()]
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    graded = [cell["metadata"]["nbgrader"] for cell in cells if "nbgrader" in cell["metadata"]]
    asked = [name for cell in cells if (name := versions.answer_of(cell))]
    assert sorted(one["grade_id"] for one in graded) == sorted([*asked, *(f"check-{name}" for name in asked)])
    assert sum(one.get("points", 0) for one in graded) == len(asked) > 3
    assert any(versions.BEGIN in versions.text(cell) for cell in cells)
    config = tmp_path / "nbgrader_config.py"
    assert versions.STUB in config.read_text()


@pytest.mark.fault("lost")
def test_what_a_teacher_changed_in_the_course_stays(tmp_path, command):
    command(tmp_path, "01", "--nbgrader")
    changed = [tmp_path / "nbgrader_config.py", tmp_path / "source" / "01_noise" / "01_noise.ipynb"]
    for path in changed:
        path.write_text("# the teacher's own")
    assert command(tmp_path, "01", "--nbgrader")[0] == 0
    assert [path.read_text() for path in changed] == ["# the teacher's own"] * 2


def test_a_source_that_was_not_rendered_yet_gets_nbgraders_metadata_too(tmp_path):
    cells = [{"cell_type": "code", "metadata": {"tags": ["exercise"]}, "source": "my_a = 1"}]
    cells += [{"cell_type": "code", "metadata": {}, "source": text} for text in ('ed.check("a")', "x = 1")]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    found = [
        cell["metadata"].get("nbgrader", {}).get("grade_id") for cell in json.loads(assign.graded(tmp_path / "a.ipynb"))["cells"]
    ]
    assert found == ["a", "check-a", None]


def test_only_the_named_files_are_copied(tmp_path):
    for name in ("a.ipynb", "b.csv", "c.png"):
        (tmp_path / "from" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "from" / name).write_text('{"cells": []}')
    lessons.copy(tmp_path / "from", tmp_path / "to", only=["a.ipynb", "b.csv"])
    assert files(tmp_path / "to") == [lessons.RECORD, "a.ipynb", "b.csv"]
    assert assign.chosen(tmp_path / "from", []) == ["a"]
