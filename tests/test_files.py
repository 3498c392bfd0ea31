"""Atomic writing: nothing half-written, nothing of the user's replaced, and what a killed process left behind is put right."""

import errno
import os
import pathlib

import pytest
import tiny

from edu_diffusion import models
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

pytestmark = pytest.mark.fault("lost")


def made(target, name="new"):
    """A folder of ours with one file."""
    with files.staged(target, {"seed": 1}) as stage:
        (stage / name).write_text(name)
    return target


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_failed_save_leaves_the_old_folder_and_a_good_one_replaces_it(tmp_path):
    target = made(tmp_path / "kept", "old")
    with pytest.raises(RuntimeError), files.staged(target) as stage:
        (stage / "new").write_text("new")
        raise RuntimeError
    assert names(tmp_path) == ["kept"] and names(target) == ["card.json", "old"]
    made(target)
    assert names(tmp_path) == ["kept"] and names(target) == ["card.json", "new"]
    assert files.card_of(target)["seed"] == 1 and list(files.card_of(target)["sha256"]) == ["new"]


@pytest.mark.parametrize(
    "content",
    [
        {"thesis.txt": "years of work"},
        {"card.json": "{}", "thesis.txt": ""},
        {"card.json": "not JSON", "thesis.txt": ""},
        {"card.json": "[1]", "thesis.txt": ""},
        {"card.json": '{"sha256": {"other.txt": "0"}}', "sub/thesis.txt": ""},
        {".hidden": ""},
    ],
)
def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path, content):
    for name, text in content.items():
        (tmp_path / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "docs" / name).write_text(text)
    with pytest.raises(EduError, match="docs is not replaced, because it holds .*, which is not ours: choose another folder"):
        made(tmp_path / "docs")
    assert {name: (tmp_path / "docs" / name).read_text() for name in content} == content and names(tmp_path) == ["docs"]


def test_a_file_of_the_users_in_a_folder_of_ours_is_not_lost(tmp_path):
    made(tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("mine")
    with pytest.raises(EduError, match="holds notes.txt"):
        made(tmp_path / "model")
    (tmp_path / "file").write_text("x")
    with pytest.raises(EduError, match="because it is a file"):
        made(tmp_path / "file")


def test_an_empty_folder_and_one_with_a_card_and_scores_may_be_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    made(tmp_path / "empty")
    for name in ("README.md", "metrics.json"):
        (tmp_path / "empty" / name).write_text("{}")
    assert names(made(tmp_path / "empty", "newer")) == ["card.json", "newer"]


def test_saving_a_pipeline_over_documents_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(EduError, match="thesis.txt"):
        models.save(tiny.pipeline(), tmp_path)
    assert names(tmp_path) == ["thesis.txt"]


def test_a_kill_between_the_two_renames_is_undone(tmp_path, monkeypatch):
    target, replace = made(tmp_path / "model", "old"), os.replace
    with monkeypatch.context() as patch:
        calls = []
        patch.setattr(os, "replace", lambda a, b: calls.append(b) or (replace(a, b) if len(calls) < 3 else exit(9)))
        with pytest.raises(SystemExit):
            made(target)  # card.json, the old folder aside, and then the kill
    assert names(tmp_path) == [".model-old"]
    files.bring_back(target)
    assert names(target) == ["card.json", "old"] and names(tmp_path) == ["model"]


def test_loading_brings_back_what_a_kill_left_aside(tmp_path):
    tiny.saved(tmp_path / "model").rename(tmp_path / ".model-old")
    assert models.load(tmp_path / "model", "cpu") and names(tmp_path) == ["model"]


def test_abandoned_temporary_folders_are_swept_and_others_are_not(tmp_path):
    for name, age in ((".model-abc", 2 * files.ABANDONED), (".model-now", 0), (".models-x", 2 * files.ABANDONED)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, (tmp_path / name).stat().st_mtime - age))
    made(tmp_path / "model")
    assert names(tmp_path) == [".model-now", ".models-x", "model"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "picture.png"
    files.write_bytes(path, b"old")

    def full(self, data):
        with open(self, "wb") as file:
            file.write(data[:1])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        files.write_bytes(path, b"new")
    assert path.read_bytes() == b"old" and names(tmp_path) == ["picture.png"]
