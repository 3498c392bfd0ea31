"""nbgrader itself makes an assignment of a lesson, collects copies and grades them: all points for the solution, none without."""

import csv
import json
import os
import shutil
import subprocess
import sys
from argparse import Namespace
from importlib import metadata
from pathlib import Path

import pytest

from edu_diffusion.cli import assign, lessons, versions
from edu_diffusion.data import files

pytest.importorskip("nbgrader", reason="nbgrader is not installed; it belongs to the test extra")

LESSON = "01_noise"  # the one that runs fastest


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course after nbgrader's four commands: ada handed in the solution, bob the untouched copy, cy one answer of his own."""
    folder = tmp_path_factory.mktemp("course")
    assign.run(Namespace(folder=folder, lessons=[LESSON], nbgrader=True))
    nbgrader(folder, "generate_assignment", LESSON)
    handed_in = folder / "downloaded" / LESSON / "archive"
    source, release = (folder / kind / LESSON / f"{LESSON}.ipynb" for kind in ("source", "release"))
    for name, path in (("ada", source), ("bob", release), ("cy", release)):
        (handed_in / name).mkdir(parents=True)
        shutil.copy(path, handed_in / name)
    answer(handed_in / "cy" / f"{LESSON}.ipynb", "half_time", 'my_half_time = "B"')
    nbgrader(folder, "zip_collect", LESSON)
    nbgrader(folder, "autograde", LESSON)
    nbgrader(folder, "export")
    return folder


def nbgrader(folder, *words):
    """Run one command of nbgrader; every training in a lesson lasts a second."""
    paths = [str(files.PACKAGE.parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),  # it starts alembic by its name
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "EDU_DIFFUSION_SECONDS": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "nbgrader", *words]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert ended.returncode == 0, ended.stderr[-3000:]


def answer(path, name, source):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cell = next(cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == name)
    cell["source"] = source
    path.write_text(json.dumps(notebook), encoding="utf-8")


def test_the_assignment_asks_as_our_own_copies_do(course):
    ours = lessons.notebook_in(lessons.without_solutions((lessons.source() / f"{LESSON}.ipynb").read_bytes()))["cells"]
    theirs = json.loads((course / "release" / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8"))["cells"]
    asked = [[versions.text(cell) for cell in cells if versions.is_question(cell)] for cells in (ours, theirs)]
    assert asked[0] == asked[1] and len(asked[0]) > 3


def test_the_solution_has_all_points_and_the_untouched_copy_none(course):
    with open(course / "grades.csv", encoding="utf-8", newline="") as file:
        scores = {row["student_id"]: (float(row["score"]), float(row["max_score"])) for row in csv.DictReader(file)}
    cells = json.loads((course / "source" / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8"))["cells"]
    most = sum(versions.is_question(cell) for cell in cells)
    assert scores == {"ada": (most, most), "bob": (0, most), "cy": (1, most)}


def test_the_untouched_copy_runs_to_its_end(course):
    """The only errors are those of the checks, which say what is missing."""
    cells = json.loads((course / "autograded" / "bob" / LESSON / f"{LESSON}.ipynb").read_text(encoding="utf-8"))["cells"]
    failed = {versions.checked(cell): out for cell in cells for out in cell.get("outputs", ()) if out["output_type"] == "error"}
    assert None not in failed and len(failed) > 3
    assert all(out["ename"] == "AssertionError" for out in failed.values())


def test_the_learners_lab_stays_as_it_is():
    """nbgrader and its notebook add buttons to JupyterLab, and the learner's folder to its import path; `lab` stops both."""
    own, added, started = files.PACKAGE / "jupyter", set(), set()
    for package in ("nbgrader", "notebook"):
        for path in metadata.files(package) or ():
            if path.name == "package.json" and "labextensions" in path.parts:
                added.add(read(path.locate())["name"])
            if path.parent.name == "jupyter_server_config.d":
                started |= set(read(path.locate())["ServerApp"]["jpserver_extensions"])
    switched_off = read(own / "jupyter_server_config.d" / "teachers_only.json")["ServerApp"]["jpserver_extensions"]
    assert added and added <= {
        name for name, off in read(own / "labconfig" / "page_config.json")["disabledExtensions"].items() if off
    }
    assert started and started <= {name for name, on in switched_off.items() if not on}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))
