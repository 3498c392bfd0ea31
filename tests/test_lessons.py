"""The learner's copies of the lessons: made, renewed, and never overwritten."""

import json

import pytest

from edu_diffusion.cli import lessons
from edu_diffusion.errors import EduError


def notebook(*texts, **tags):
    cells = [
        {
            "cell_type": "code",
            "id": text,
            "metadata": {"tags": tags.get(text, [])},
            "source": [text],
            "execution_count": None,
            "outputs": [],
        }
        for text in texts
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


@pytest.fixture
def folders(tmp_path):
    """The teacher's folder with two files, and the learner's, which is not there yet."""
    teacher = tmp_path / "notebooks"
    (teacher / "pictures").mkdir(parents=True)
    (teacher / "00_start.ipynb").write_text(notebook("one"))
    (teacher / "pictures" / "map.svg").write_text("<svg/>")
    return teacher, tmp_path / "work"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.name != lessons.RECORD)


def test_first_copy_has_every_file_byte_for_byte(folders):
    teacher, work = folders
    assert lessons.copy(teacher, work) == []
    assert names(work) == ["00_start.ipynb", "pictures/map.svg"]
    assert (work / "00_start.ipynb").read_bytes() == (teacher / "00_start.ipynb").read_bytes()


def test_hidden_files_and_checkpoints_are_not_copied(folders):
    teacher, work = folders
    (teacher / ".ipynb_checkpoints").mkdir()
    (teacher / ".ipynb_checkpoints" / "00_start-checkpoint.ipynb").write_text(notebook("old"))
    lessons.copy(teacher, work)
    assert names(work) == ["00_start.ipynb", "pictures/map.svg"]


def test_an_unchanged_copy_is_renewed(folders):
    teacher, work = folders
    lessons.copy(teacher, work)
    (teacher / "00_start.ipynb").write_text(notebook("two"))
    assert lessons.copy(teacher, work) == []
    assert (work / "00_start.ipynb").read_text() == notebook("two")
    assert names(work) == ["00_start.ipynb", "pictures/map.svg"]


def test_an_edited_copy_stays_and_the_new_one_lies_beside_it(folders):
    teacher, work = folders
    lessons.copy(teacher, work)
    (work / "00_start.ipynb").write_text("mine")
    (teacher / "00_start.ipynb").write_text(notebook("two"))
    told = lessons.copy(teacher, work)
    assert (work / "00_start.ipynb").read_text() == "mine"
    assert (work / "00_start.new.ipynb").read_text() == notebook("two")
    assert len(told) == 1 and "00_start.new.ipynb" in told[0] and "\n" not in told[0]
    assert lessons.copy(teacher, work) == [], "said once, not at every start"


def test_an_edited_copy_without_a_new_version_is_left_alone(folders):
    teacher, work = folders
    lessons.copy(teacher, work)
    (work / "00_start.ipynb").write_text("mine")
    assert lessons.copy(teacher, work) == []
    assert names(work) == ["00_start.ipynb", "pictures/map.svg"]


def test_the_offered_version_is_renewed_until_it_is_edited_too(folders):
    teacher, work = folders
    lessons.copy(teacher, work)
    (work / "00_start.ipynb").write_text("mine")
    for text in ("two", "three"):
        (teacher / "00_start.ipynb").write_text(notebook(text))
        lessons.copy(teacher, work)
    assert (work / "00_start.new.ipynb").read_text() == notebook("three")
    (work / "00_start.new.ipynb").write_text("mine too")
    (teacher / "00_start.ipynb").write_text(notebook("four"))
    lessons.copy(teacher, work)
    assert (work / "00_start.new.ipynb").read_text() == "mine too"
    assert (work / "00_start.new2.ipynb").read_text() == notebook("four")


@pytest.mark.parametrize(
    "damage",
    [lambda file: file.unlink(), lambda file: file.write_text("{"), lambda file: file.write_text("[1]")],
    ids=["gone", "cut off", "foreign"],
)
def test_without_a_record_nothing_is_overwritten(folders, damage):
    teacher, work = folders
    lessons.copy(teacher, work)
    (work / "00_start.ipynb").write_text("mine")
    damage(work / lessons.RECORD)
    lessons.copy(teacher, work)
    assert (work / "00_start.ipynb").read_text() == "mine"
    assert (work / "00_start.new.ipynb").exists()


def test_a_deleted_copy_comes_back(folders):
    teacher, work = folders
    lessons.copy(teacher, work)
    (work / "00_start.ipynb").unlink()
    lessons.copy(teacher, work)
    assert (work / "00_start.ipynb").read_text() == notebook("one")


def test_solutions_are_left_out_of_the_copy(folders):
    teacher, work = folders
    (teacher / "00_start.ipynb").write_text(notebook("before", "task", "after", task=["exercise"]))
    (teacher / "TEACHING.md").write_text("answers")
    (teacher / "plans").mkdir()
    (teacher / "plans" / "00_start.md").write_text("answers")
    lessons.copy(teacher, work)
    assert not [path for path in work.rglob("*") if path.name in ("TEACHING.md", "plans", "00_start.md")]
    assert json.loads((work / "00_start.ipynb").read_text())["cells"][1]["metadata"] == {"tags": ["exercise"]}
    assert lessons.copy(teacher, work) == [], "the copy without solutions counts as unchanged"


CONFLICT = "<<<<<<< HEAD\n" + notebook("ours") + "=======\n" + notebook("theirs") + ">>>>>>> main\n"


@pytest.mark.fault("ugly")
@pytest.mark.parametrize(
    "content, words",
    [
        (CONFLICT, "in the middle of a merge: both versions are in it"),
        (notebook("x").replace("[", f"[\n{CONFLICT}", 1), "in the middle of a merge"),
        ("", "damaged (Expecting value"),
        ("{", "damaged"),
        ("[1]", "not a notebook"),
        ('{"cells": 3}', "not a notebook"),
        ('{"cells": [3]}', "not a notebook"),
        ("null", "not a notebook"),
        ("\x00", "damaged"),
    ],
)
def test_a_damaged_lesson_is_named_and_the_others_are_copied(folders, content, words):
    teacher, work = folders
    (teacher / "05_clip.ipynb").write_text(notebook("two"))
    lessons.copy(teacher, work)
    (teacher / "05_clip.ipynb").write_text(content)
    (teacher / "00_start.ipynb").write_text(notebook("newer"))
    (teacher / "06_unet.ipynb").write_text(notebook("three"))
    told = lessons.copy(teacher, work)
    assert len(told) == 1 and told[0].startswith(f"05_clip.ipynb is not copied, because it is {words}") and "\n" not in told[0]
    assert (work / "00_start.ipynb").read_text() == notebook("newer") and (work / "06_unet.ipynb").is_file()
    assert (work / "05_clip.ipynb").read_text() == notebook("two"), "the earlier copy stays"
    (teacher / "05_clip.ipynb").write_text(notebook("four"))
    assert lessons.copy(teacher, work) == [] and (work / "05_clip.ipynb").read_text() == notebook("four")


@pytest.mark.fault("ugly")
def test_bytes_that_are_no_text_are_a_damaged_lesson(folders):
    teacher, work = folders
    (teacher / "05_clip.ipynb").write_bytes(b"\xff\xfe\x00")
    assert "05_clip.ipynb is not copied, because it is damaged" in lessons.copy(teacher, work)[0]
    assert names(work) == ["00_start.ipynb", "pictures/map.svg"]


def test_a_damaged_lesson_comes_back_from_where_the_repository_came(folders, monkeypatch):
    teacher, work = folders
    (teacher / "05_clip.ipynb").write_text(CONFLICT)
    for root, words in ((None, "install the package again"), (teacher.parent, "download the repository again")):
        monkeypatch.setattr(lessons.remedies.environment, "clone_root", lambda root=root: root)
        assert words in lessons.copy(teacher, work)[0]
    (teacher.parent / ".git").mkdir()
    assert f'git checkout HEAD -- "{teacher / "05_clip.ipynb"}"' in lessons.copy(teacher, work)[0]


@pytest.mark.fault("ugly")
def test_a_copy_that_cannot_be_written_is_a_sentence(folders, monkeypatch):
    """Also where the system says no more than that."""
    teacher, work = folders

    def full(path, data):
        raise OSError("no room")

    monkeypatch.setattr(lessons.files, "write_bytes", full)
    with pytest.raises(EduError, match="cannot be copied to .*no room.; make the folder writable"):
        lessons.copy(teacher, work)


def test_a_folder_that_cannot_be_written_is_a_sentence(folders):
    teacher, work = folders
    work.write_text("a file where the folder should be")
    with pytest.raises(EduError, match="cannot be copied"):
        lessons.copy(teacher, work)


def test_a_clone_without_lessons_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons.files, "folder", lambda kind: tmp_path)
    with pytest.raises(EduError, match="no lessons"):
        lessons.source()
