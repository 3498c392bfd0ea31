"""The doctor, tested by breaking what it looks at."""

import base64
import hashlib
import importlib
import importlib.util
import json
import pathlib
import shutil
import sys
from argparse import Namespace

import numpy as np
import psutil
import pytest
import tiny
import torch

import edu_diffusion
from edu_diffusion.cli import doctor, intact, kernel_checks, lessons, remedies
from edu_diffusion.data import files as package
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment
from edu_diffusion.install.torch_build import CPU_INDEX

ROOT = pathlib.Path(__file__).resolve().parent.parent


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
    assert "[FAIL] broken: ImportError: no such thing\n       -> look at the failed checks above" in out and "[ok]   good" in out


# ---------------------------------------------------------------- the environment


def test_python():
    assert "3.12.1" in fine(doctor.python((3, 12, 1)))
    assert "python.org" in faulty(doctor.python((3, 10, 9)))
    assert "3.14.0" in faulty(doctor.python((3, 14, 0)))


def test_packages_here_are_complete():
    assert "all installed" in fine(doctor.packages())


@pytest.mark.parametrize(
    "requirement, expected", [("edu-no-such-package>=1", "edu-no-such-package is missing"), ("numpy>=99", "numpy is")]
)
def test_a_missing_or_too_old_package(monkeypatch, requirement, expected):
    monkeypatch.setattr(doctor, "requirements", lambda: ["torch>=2", requirement])
    text = faulty(doctor.packages())
    assert expected in text and "torch" not in text
    assert f'-m pip install -c "{ROOT / "constraints.txt"}" "{requirement}"' in text, "one package, not all anew"


def test_another_version_than_the_tested_is_named_but_no_fault(monkeypatch, tmp_path):
    (tmp_path / "constraints.txt").write_text("# pins\nnumpy==0.1\nedu-no-such-package==1\n")
    monkeypatch.setattr(remedies, "constraints_file", lambda: tmp_path / "constraints.txt")
    text = fine(doctor.packages())
    assert f"numpy {np.__version__} (tested with 0.1)" in text and "no-such" not in text


def test_a_local_version_counts_as_its_public_one(monkeypatch):
    monkeypatch.setattr(doctor.importlib.metadata, "version", lambda name: "2.13.0+cpu")
    assert doctor.differing({"torch": "2.13.0"}) == []


def test_an_installed_wheel_declares_its_requirements(monkeypatch):
    monkeypatch.setattr(environment, "clone_root", lambda: None)
    monkeypatch.setattr(doctor.importlib.metadata, "requires", lambda name: ["a>=1", 'pytest>=9; extra == "test"'])
    assert doctor.requirements() == ["a>=1"] and remedies.constraints_file().parent == doctor.PACKAGE


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
    assert sys.executable in fine(kernel_checks.kernel())
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["/usr/bin/other-python", "-m", "ipykernel_launcher"], "display_name": "x", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert "/usr/bin/other-python" in faulty(kernel_checks.kernel())


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
    monkeypatch.setattr(package, "PACKAGE", tmp_path)
    monkeypatch.setattr(environment, "clone_root", lambda: None)
    return tmp_path


@pytest.mark.parametrize("check, folder", [(intact.weights, "checkpoints/base"), (intact.data, "datasets/emoji")])
@pytest.mark.parametrize("damage", damages())
def test_a_damaged_file_is_named(files, check, folder, damage):
    fine(check())
    damages()[damage](files / folder / "unet" / "weights")
    assert f"{folder.split('/')[1]}/unet/weights" in faulty(check())


@pytest.mark.parametrize("check", [intact.weights, intact.data])
def test_no_files_at_all_is_a_fault(files, check):
    shutil.rmtree(files / "checkpoints")
    shutil.rmtree(files / "datasets")
    assert "none" in faulty(check())


def test_many_damaged_files_are_counted():
    assert intact.first(list("abcdefg")) == "a, b, c, d, e and 2 more" and intact.first(["a"]) == "a"


def test_the_real_files_are_whole():
    for check in (intact.weights, intact.data, intact.notebooks, intact.package_files):
        fine(check())


@pytest.mark.fault("ugly")
@pytest.mark.parametrize(
    "check, file", [(intact.weights, "checkpoints/base/card.json"), (intact.data, "datasets/emoji/checksums.json")]
)
@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "null", '{"sha256": 3, "a": 3}', '{"unet/weights": 1}', "\x00", "<<<<<<< HEAD\n"]
)
def test_a_broken_list_of_checksums_is_named_and_restored_alone(files, monkeypatch, check, file, content):
    (files / file).write_text(content)
    monkeypatch.setattr(environment, "clone_root", lambda: files)
    (files / ".git").mkdir()
    text = faulty(check())
    assert f"{'/'.join(file.split('/')[1:])} is not a list of checksums any more" in text
    assert text.endswith(f'git checkout HEAD -- "{files / file}"')


@pytest.mark.parametrize("check, folder", [(intact.weights, "checkpoints"), (intact.data, "datasets")])
def test_the_remedy_names_the_file_where_it_can_be_had(files, monkeypatch, check, folder):
    lost = next((files / folder).glob("*/unet/weights"))
    lost.unlink()
    assert "pip install --force-reinstall --no-deps" in faulty(check())
    monkeypatch.setattr(environment, "clone_root", lambda: files)
    assert f'download the repository again and copy from it: "{lost}"' in faulty(check())
    (files / ".git").mkdir()
    assert f'git checkout HEAD -- "{lost}"' in faulty(check())


def test_many_files_are_restored_by_folder():
    paths = [pathlib.Path("a") / str(i) for i in range(9)]
    assert intact.folders(paths) == [pathlib.Path("a")] and intact.folders(paths[:2]) == paths[:2]


# ---------------------------------------------------------------- installed packages


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A folder of installed packages: one, with one file; returns it."""
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "__init__.py").write_text("x = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).decode().rstrip("=")
    info = tmp_path / "small-1.5+cpu.dist-info"
    info.mkdir()
    size = (info / "METADATA").write_text("Metadata-Version: 2.1\nName: small\nVersion: 1.5+cpu\n")
    (info / "RECORD").write_text(f"small/__init__.py,sha256={digest},6\n{info.name}/METADATA,,{size}\n{info.name}/RECORD,,\n")
    monkeypatch.setattr(intact.sysconfig, "get_path", lambda name: str(tmp_path))
    return tmp_path


@pytest.mark.fault("silent")
@pytest.mark.parametrize("file", ["small/__init__.py", "small-1.5+cpu.dist-info/METADATA"])
@pytest.mark.parametrize(
    "damage",
    [lambda path: path.unlink(), lambda path: path.write_text("x"), lambda path: path.write_text(path.read_text() + "y")],
    ids=["gone", "cut off", "longer"],
)
def test_a_package_with_a_missing_or_cut_off_file_is_installed_again_alone(site, file, damage):
    fine(intact.package_files())
    damage(site / file)
    text = faulty(intact.package_files())
    assert f"small-1.5+cpu ({file})" in text
    assert text.endswith(f'--force-reinstall --no-deps --extra-index-url {CPU_INDEX} "small==1.5+cpu"')


@pytest.mark.fault("silent")
def test_a_package_with_a_flipped_bit(site):
    (site / "small" / "__init__.py").write_text("x = 3\n")
    assert "small-1.5+cpu (small/__init__.py)" in faulty(intact.package_files())


@pytest.mark.fault("ugly")
def test_a_check_that_a_damaged_package_breaks_names_the_package(monkeypatch, capsys):
    def missing():
        importlib.import_module("edu_no_such_module.part")

    def broken():
        psutil.Process(-1)

    def deep():
        torch.ones("no number")

    monkeypatch.setattr(doctor, "CHECKS", (missing, broken, deep))
    doctor.run()
    first, second, third = capsys.readouterr().out.split("[FAIL] ")[1:]
    assert '"edu_no_such_module"' in first and "-m pip install -c" in first
    assert f'--force-reinstall --no-deps "psutil=={psutil.__version__}"' in second
    assert "look at the failed checks above" in third


def test_torch_is_installed_from_the_small_index_unless_there_is_a_card(monkeypatch):
    monkeypatch.setattr(remedies, "has_nvidia", lambda: False)
    assert CPU_INDEX in remedies.install(["torch>=2"]) and CPU_INDEX not in remedies.install(["numpy"])
    monkeypatch.setattr(remedies, "has_nvidia", lambda: True)
    assert CPU_INDEX not in remedies.install(["torch>=2"])


# ---------------------------------------------------------------- kernel and lessons


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("content", ["{", '{"argv": []}'])
def test_a_kernel_that_cannot_be_read_is_made_again(monkeypatch, tmp_path, content):
    folder = tmp_path / "kernels" / "python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(content)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert "notebook kernel" in faulty(kernel_checks.kernel())


def test_the_real_kernel_runs_a_cell():
    assert fine(kernel_checks.cell()) == "notebook cell: runs"


@pytest.mark.fault("ugly")
def test_a_kernel_that_dies_is_a_sentence(monkeypatch, tmp_path):
    """Its packages are damaged: here, ipykernel is one that raises."""
    (tmp_path / "ipykernel.py").write_text("raise ImportError('damaged')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    text = faulty(kernel_checks.cell())
    assert "notebook cell: Kernel died" in text and '"ipykernel==' in text and '"pyzmq==' in text


@pytest.mark.fault("ugly")
def test_a_lesson_in_the_middle_of_a_merge_is_named(monkeypatch, tmp_path):
    (tmp_path / "00_start.ipynb").write_text('{"cells": []}')
    (tmp_path / "05_clip.ipynb").write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n")
    monkeypatch.setattr(lessons.files, "folder", lambda kind: tmp_path)
    text = faulty(intact.notebooks())
    assert "lessons: 05_clip.ipynb is in the middle of a merge" in text and "00_start" not in text
    (tmp_path / "05_clip.ipynb").unlink()
    assert fine(intact.notebooks()) == "lessons: all 1 readable"
    (tmp_path / "00_start.ipynb").unlink()
    assert "there are no lessons" in faulty(intact.notebooks())


def test_a_learners_module_with_the_name_of_a_library_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "home", lambda: tmp_path)
    fine(intact.names())
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "torch.py").write_text("")
    assert "torch.py have the name of a library -> rename them, for example to my_torch.py" in faulty(intact.names())


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
