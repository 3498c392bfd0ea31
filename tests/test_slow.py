"""The program that runs every lesson as on a slow laptop: what it counts, and what it prints. It is not run here itself."""

import json
import pathlib
import runpy
import sys
import time
import types

import nbformat
import pytest

from edu_diffusion.train import loop, pace
from edu_diffusion.widgets import live

PROGRAM = pathlib.Path(__file__).parent / "benchmarks" / "slow.py"


class Events:
    """IPython's events, as far as they are used."""

    def __init__(self):
        self.calls = {}

    def register(self, name, call):
        self.calls[name] = call


@pytest.fixture
def slow():
    return runpy.run_path(str(PROGRAM))


@pytest.fixture
def kernel(slow, monkeypatch):
    """A kernel in which CPU time stands still unless it is told to pass: (seconds to be set, events, limits)."""
    resource = pytest.importorskip("resource")
    now, events, limits = [0.0], Events(), []
    for module in (loop, pace, live):
        monkeypatch.setattr(module, "time", time)
    monkeypatch.setattr("IPython.get_ipython", lambda: types.SimpleNamespace(events=events))
    monkeypatch.setattr(resource, "setrlimit", lambda what, most: limits.append((what, most)))
    monkeypatch.setattr(time, "process_time", lambda: now[0])
    slow["begin"](3, 4)
    assert limits == [(resource.RLIMIT_DATA, (4 * 10**9, 4 * 10**9))]
    return now, events


def test_trainings_and_their_pictures_count_cpu_time(kernel):
    now, _ = kernel
    for module in (loop, pace, live):
        begun = module.time.monotonic()
        now[0] += 2
        assert module.time.monotonic() - begun == 6, "a computer that is three times slower"
    assert time.monotonic() != loop.time.monotonic(), "everything else keeps its clock"


def test_every_cell_is_measured_and_the_first_one_is_not(kernel, slow, capsys):
    now, events = kernel
    events.calls["post_run_cell"](None)  # of the cell that called begin
    for seconds in (1.0, 5.0):
        events.calls["pre_run_cell"](None)
        now[0] += seconds
        events.calls["post_run_cell"](None)
    events.calls["pre_run_cell"](None)  # of the cell that calls end
    slow["end"]()
    found = json.loads(capsys.readouterr().out)
    assert found["cells"] == [1.0, 5.0] and found["whole"] == 6.0 and found["peak"] > 1000


def client(outputs):
    """In place of nbclient's: gives the cells these outputs and runs nothing."""

    class Client:
        def __init__(self, notebook, **options):
            assert options["allow_errors"] and options["resources"]["metadata"]["path"]
            self.cells = [cell for cell in notebook.cells if cell.cell_type == "code"]

        def execute(self):
            begin, *_, last = self.cells
            assert "begin(2, 4)" in begin.source and last.source == "__import__('slow').end()"
            for cell, output in zip(self.cells, outputs, strict=True):
                cell.outputs = [output] if output else []

    return types.SimpleNamespace(NotebookClient=Client)


def test_a_lesson_becomes_a_row(slow, tmp_path, monkeypatch):
    code, said = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell("# A lesson")
    lesson = nbformat.v4.new_notebook(cells=[said, code("1", id="imports"), code("2", id="train"), code("", id="empty")])
    nbformat.write(lesson, tmp_path / "01_x.ipynb")
    failed = nbformat.v4.new_output("error", ename="MemoryError", evalue="too much", traceback=[])
    told = nbformat.v4.new_output("stream", name="stdout", text=json.dumps({"cells": [1, 40], "whole": 60, "peak": 2 * 10**6}))
    monkeypatch.setitem(sys.modules, "nbclient", client([None, None, failed, None, told]))
    (out := tmp_path / "out").mkdir()
    result = slow["measured"](tmp_path / "01_x.ipynb", 2, 4, out)
    assert result == json.loads((out / "01_x.json").read_text())
    assert result["cells"] == {"imports": 2, "train": 80} and result["whole"] == 120
    assert slow["row"]("01_x", result) == "| 01_x | 2.0 | train, 80 s | 2.0 | train 80 | train: too much |"
    assert [cell.id for cell in nbformat.read(out / "01_x.ipynb", 4).cells[2:]] == ["imports", "train", "empty"]


def test_a_lesson_without_trouble(slow):
    result = {"cells": {"imports": 3.0, "look": 20.0}, "whole": 30.0, "peak": 0.62, "errors": {}}
    assert slow["row"]("00_x", result) == "| 00_x | 0.5 | look, 20 s | 0.6 | - | - |"
