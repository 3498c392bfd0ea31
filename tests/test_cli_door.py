"""The one door of the command line: a mistake is one sentence, a fault of ours says that it is one, nothing is silent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

import edu_diffusion
from edu_diffusion.cli import export, infotext, main
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment
from edu_diffusion.steps.validate import StepError

pytestmark = pytest.mark.fault("ugly")

ROOT = Path(edu_diffusion.__file__).parents[1]


@pytest.fixture
def raising(monkeypatch):
    """Run `export` with an exception inside; returns the exit code."""

    def run(error):
        def fail(args, rest=()):
            raise error

        monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
        monkeypatch.setattr(export, "run", fail)
        return main.main(["export", "base", "x.safetensors"])

    return run


@pytest.mark.parametrize(
    "error, sentence",
    [
        (EduError("steps must be 1 to 1000."), "steps must be 1 to 1000."),
        (StepError("guidance is nan; it must be a finite number."), "guidance is nan; it must be a finite number."),
        (PermissionError(13, "Permission denied", "/home/x/runs"), "/home/x/runs: Permission denied; make the place writable"),
        (OSError(30, "Read-only file system", "runs"), "runs: Read-only file system; make the place writable"),
        (OSError(28, "No space left on device"), "No space left on device; make the place writable, free some space"),
        (
            SafetensorError("invalid header"),
            "a weight file is damaged (invalid header); python3 -m edu_diffusion doctor says which",
        ),
    ],
)
def test_a_mistake_is_one_sentence(raising, capsys, error, sentence):
    assert raising(error) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"edu_diffusion: {sentence}") and err.count("\n") == 1 and not out


@pytest.mark.parametrize("error", [RuntimeError("shapes"), ValueError("invalid literal for int()"), KeyError("x"), OSError("odd")])
def test_a_fault_of_ours_says_so_and_shows_where(raising, capsys, error):
    assert raising(error) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err and "in fail" in err and "this is a fault in edu_diffusion, not yours; please report it" in err


def test_a_pipe_that_nobody_reads_is_no_error():
    code = (
        "import sys; from edu_diffusion.cli import export, main; from edu_diffusion.install import environment\n"
        "environment.ensure = lambda arguments, test: None\n"
        "export.run = lambda args, rest: [print('x' * 80) for _ in range(10_000)] and None\n"
        "sys.exit(main.main(['export', 'a', 'b']))"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    err = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 141 and not err


def test_what_a_terminal_cannot_show_does_not_stop_us():
    code = (
        "import sys; from edu_diffusion.cli import export, main; from edu_diffusion.install import environment\n"
        "environment.ensure = lambda arguments, test: None\n"
        "export.run = lambda args, rest: print('caf\\u00e9 \\u2603')\nsys.exit(main.main(['export', 'a', 'b']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert not ran.returncode and ran.stdout == "caf\\xe9 \\u2603\n"


# ---------------------------------------------------------------- pictures

SETTINGS = {"prompt": "a", "negative": "", "seed": 0, "steps": 1, "guidance": 1.0, "model": "base", "hash": "0"}


def test_two_programs_at_once_get_two_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with infotext.reserved() as one, infotext.reserved() as other:
        assert [one.name, other.name] == ["picture.png", "picture-2.png"] and one.exists() and other.exists()
    with pytest.raises(RuntimeError), infotext.reserved() as third:
        raise RuntimeError
    assert third.name == "picture-3.png" and not third.exists()


def test_a_failed_write_leaves_the_old_picture_and_no_empty_one(tmp_path, monkeypatch):
    import numpy as np

    pixels, path = np.zeros((8, 8, 3), np.uint8), tmp_path / "old.png"
    infotext.write(path, pixels, SETTINGS)
    old = path.read_bytes()

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EduError, match="old.png cannot be written .No space"):
        infotext.write(path, pixels + 255, SETTINGS)
    with pytest.raises(EduError, match="picture.png cannot be written"), infotext.reserved() as free:
        infotext.write(free, pixels, SETTINGS)
    assert path.read_bytes() == old and [p.name for p in tmp_path.iterdir()] == ["old.png"]
