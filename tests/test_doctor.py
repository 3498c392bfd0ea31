"""The doctor, tested by breaking what it looks at."""

import hashlib
import importlib.util
import json
import shutil
import sys
from argparse import Namespace

import numpy as np
import psutil
import pytest
import tiny
import torch

import edu_diffusion
from edu_diffusion.cli import doctor
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment


def faulty(result):
    """Return the text and the remedy of a result that must be a fault."""
    ok, text, remedy = result
    assert not ok and text and remedy
    return f"{text} -> {remedy}"


def fine(result):
    ok, text, _ = result
    assert ok, text
    return text


# ---------------------------------------------------------------- the report

def test_the_report_has_a_line_for_each_and_the_exit_code(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "CHECKS", (lambda: (True, "good", "never seen"),))
    assert doctor.run() == 0
    assert capsys.readouterr().out == "[ok]   good\nEverything is fine.\n"
    monkeypatch.setattr(doctor, "CHECKS", (lambda: (True, "good", ""), lambda: (False, "bad", "do this")))
    assert doctor.run() == 1
    assert "[FAIL] bad\n       -> do this\n1 of 2 checks failed." in capsys.readouterr().out


def test_a_check_that_breaks_is_a_fault_and_the_others_go_on(monkeypatch, capsys):
    def broken():
        raise ImportError("no such thing")
    monkeypatch.setattr(doctor, "CHECKS", (broken, lambda: (True, "good", "")))
    assert doctor.run() == 1
    out = capsys.readouterr().out
    assert "[FAIL] broken: ImportError: no such thing" in out and "[ok]   good" in out


# ---------------------------------------------------------------- the environment

def test_python():
    assert "3.12.1" in fine(doctor.python((3, 12, 1)))
    assert "python.org" in faulty(doctor.python((3, 10, 9)))
    assert "3.14.0" in faulty(doctor.python((3, 14, 0)))


def test_packages_here_are_complete():
    assert "all installed" in fine(doctor.packages())


@pytest.mark.parametrize(
    "requirement, expected",
    [("edu-no-such-package>=1", "edu-no-such-package is missing"), ("numpy>=99", "numpy is")],
)
def test_a_missing_or_too_old_package(monkeypatch, requirement, expected):
    monkeypatch.setattr(doctor, "requirements", lambda: ["torch>=2", requirement])
    text = faulty(doctor.packages())
    assert expected in text and "torch" not in text and "remove the folder .venv" in text


def test_another_version_than_the_tested_is_named_but_no_fault(monkeypatch, tmp_path):
    (tmp_path / "constraints.txt").write_text("# pins\nnumpy==0.1\nedu-no-such-package==1\n")
    monkeypatch.setattr(doctor, "constraints_file", lambda: tmp_path / "constraints.txt")
    text = fine(doctor.packages())
    assert f"numpy {np.__version__} (tested with 0.1)" in text and "no-such" not in text


def test_a_local_version_counts_as_its_public_one(monkeypatch):
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "2.13.0+cpu")
    assert doctor.differing({"torch": "2.13.0"}) == []


def test_an_installed_wheel_declares_its_requirements(monkeypatch):
    monkeypatch.setattr(environment, "clone_root", lambda: None)
    monkeypatch.setattr(
        doctor.importlib.metadata, "requires", lambda name: ["a>=1", 'pytest>=9; extra == "test"']
    )
    assert doctor.requirements() == ["a>=1"] and doctor.constraints_file().parent == doctor.PACKAGE


def test_a_torchvision_for_another_torch(monkeypatch, tmp_path):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "0.28.0+cu130")
    text = faulty(doctor.torch_build())
    assert "torchvision 0.28.0+cu130" in text and "pip uninstall torchvision" in text
    (tmp_path / "torchvision.py").write_text("")
    fine(doctor.torch_build())


def test_a_device_that_fails_or_computes_wrongly(monkeypatch):
    assert "cpu" in fine(doctor.device())

    def no_driver(*size, device):
        raise RuntimeError("driver too old")
    monkeypatch.setattr(torch, "ones", no_driver)
    assert "driver too old" in faulty(doctor.device())
    monkeypatch.setattr(torch, "ones", lambda *size, device: torch.zeros(8, 8))
    assert "gives wrong results" in faulty(doctor.device())


def test_another_pythons_kernel(monkeypatch, tmp_path):
    assert sys.executable in fine(doctor.kernel())
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {
        "argv": ["/usr/bin/other-python", "-m", "ipykernel_launcher"],
        "display_name": "x",
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert "/usr/bin/other-python" in faulty(doctor.kernel())


def test_too_little_memory(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Namespace(available=1e9))
    assert "1.0 GB" in faulty(doctor.memory())
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Namespace(available=3e9))
    fine(doctor.memory())


def test_too_little_disk(monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Namespace(free=1e9))
    assert "1.0 GB" in faulty(doctor.disk())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Namespace(free=3e9))
    fine(doctor.disk())


# ---------------------------------------------------------------- the files

def damages():
    return {
        "flipped": lambda file: file.write_bytes(b"weightz"),
        "cut": lambda file: file.write_bytes(b"weig"),
        "gone": lambda file: file.unlink(),
    }


@pytest.fixture
def files(monkeypatch, tmp_path):
    """A package folder with one checkpoint and one data set, their hashes beside them."""
    hashes = {"unet/weights": hashlib.sha256(b"weights").hexdigest()}
    for folder in (tmp_path / "checkpoints" / "base", tmp_path / "datasets" / "emoji"):
        (folder / "unet").mkdir(parents=True)
        (folder / "unet" / "weights").write_bytes(b"weights")
    (tmp_path / "checkpoints" / "base" / "card.json").write_text(json.dumps({"sha256": hashes}))
    (tmp_path / "datasets" / "emoji" / "checksums.json").write_text(json.dumps(hashes))
    monkeypatch.setattr(doctor, "PACKAGE", tmp_path)
    monkeypatch.setattr(environment, "clone_root", lambda: None)
    return tmp_path


@pytest.mark.parametrize(
    "check, folder", [(doctor.weights, "checkpoints/base"), (doctor.data, "datasets/emoji")]
)
@pytest.mark.parametrize("damage", damages())
def test_a_damaged_file_is_named(files, check, folder, damage):
    fine(check())
    damages()[damage](files / folder / "unet" / "weights")
    assert f"{folder.split('/')[1]}/unet/weights" in faulty(check())


@pytest.mark.parametrize("check", [doctor.weights, doctor.data])
def test_no_files_at_all_is_a_fault(files, check):
    shutil.rmtree(files / "checkpoints")
    shutil.rmtree(files / "datasets")
    assert "none" in faulty(check())


def test_many_damaged_files_are_counted():
    assert "a, b, c, d, e and 2 more" in faulty(doctor.summary("data", list("abcdefg"), []))


def test_the_real_files_are_whole():
    fine(doctor.weights())
    fine(doctor.data())


def test_the_picture(monkeypatch):
    def use(load):
        monkeypatch.setattr(edu_diffusion, "models", Namespace(load=load), raising=False)
    use(lambda name: tiny.pipeline())
    assert "32 x 32" in fine(doctor.picture())

    def broken(name):
        raise EduError("the file is damaged")
    use(broken)
    assert "the file is damaged" in faulty(doctor.picture())


def test_a_flat_picture_is_a_fault(monkeypatch):
    from edu_diffusion.cli import generate
    monkeypatch.setattr(edu_diffusion, "models", Namespace(load=lambda name: None), raising=False)
    monkeypatch.setattr(generate, "draw", lambda pipe, settings: np.zeros((8, 8, 3), np.uint8))
    assert "one flat colour" in faulty(doctor.picture())
