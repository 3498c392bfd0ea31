"""The kit: a small one is built of tiny wheels and installed without an index; its faults are found; the day before a class."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import zipfile
from argparse import Namespace

import pytest
import torch

from edu_diffusion.cli import doctor, doctor_class, kit_files, kit_wheels, lessons, main, render
from edu_diffusion.cli import kit as verb
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import building, environment, kit
from edu_diffusion.install.pip import problem

VERSION = kit.this_python()
BACKEND = """
import base64, hashlib, os, zipfile
import tiny_build

def get_requires_for_build_editable(settings=None):
    return ["editables"]

def build_editable(folder, settings=None, metadata=None):
    import editables
    name = "tiny_project-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("tiny_project.pth", os.getcwd())
        info = "tiny_project-1.0.dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny-project\\nVersion: 1.0\\nRequires-Dist: tiny-a\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = ["tiny-build"]
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny-project"
version = "1.0"
dependencies = ["torch>=1", "tiny-a>=1"]
"""


def wheel(folder, name, *requirements, version="1.0", tag="py3-none-any"):
    """Write a wheel of one empty module."""
    folder.mkdir(parents=True, exist_ok=True)
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requirements)]
    lines += [f"Provides-Extra: {extra}" for requirement in requirements for extra in re.findall('extra == "(.*)"', requirement)]
    with zipfile.ZipFile(folder / f"{module}-{version}-{tag}.whl", "w") as file:
        file.writestr(f"{module}.py", "")
        file.writestr(f"{info}/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        file.writestr(f"{info}/RECORD", "")


# ---------------------------------------------------------------- what is missing


@pytest.fixture
def store(tmp_path):
    """Wheels: tiny-a needs others, some of them only somewhere or with an extra."""
    folder = tmp_path / "store"
    wheel(folder, "torch")
    wheel(folder, "tiny-a", "tiny_B[more]>=1", 'only-windows; sys_platform == "win32"', 'never; python_version < "3"')
    wheel(folder, "tiny-b", "tiny-a", 'tiny-c; extra == "more"', 'tiny-d; extra == "less"')
    for name in ("tiny-c", "tiny-build", "tiny-pip", "editables", "only-windows"):
        wheel(folder, name)
    return folder


def test_requirements_are_followed_for_the_platform_and_not_for_this_machine(tmp_path, store):
    def missing(platform, *there):
        folder = tmp_path / "there"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in there:
            shutil.copy(store / f"{name}-1.0-py3-none-any.whl", folder)
        return kit_wheels.missing(folder, ["torch>=1", "tiny-a>=1"], platform, "3.12")

    assert missing("linux") == ["tiny-a>=1", "torch>=1"]
    assert missing("linux", "torch", "tiny_a") == ["tiny_B>=1"]
    assert missing("linux", "torch", "tiny_a", "tiny_b") == ["tiny-c"], "of the extra that was asked for"
    assert missing("linux", "torch", "tiny_a", "tiny_b", "tiny_c") == []
    assert missing("macos", "torch", "tiny_a", "tiny_b", "tiny_c") == []
    assert missing("windows", "torch", "tiny_a", "tiny_b", "tiny_c") == ["only-windows"]


def test_a_wheel_of_another_version_is_missing_and_a_damaged_one_a_sentence(store):
    assert kit_wheels.missing(store, ["tiny-c>=2"], "linux", "3.12") == ["tiny-c>=2"]
    (store / "tiny_c-1.0-py3-none-any.whl").write_bytes(b"half a file")
    with pytest.raises(EduError, match="tiny_c.* is damaged .*delete it and start again"):
        kit_wheels.missing(store, ["tiny-c"], "linux", "3.12")


# ---------------------------------------------------------------- a whole kit


@pytest.fixture
def offline(monkeypatch, store, tmp_path):
    """A tiny project as the clone; pip knows the store only, and no settings of the user's."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv(kit.VARIABLE, raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", store.as_uri())
    monkeypatch.setattr(building, "PIP", "tiny-pip==1.0")
    monkeypatch.setattr(kit_wheels, "PIP", "tiny-pip==1.0")
    root = tmp_path / "clone"
    for name in (".git", "work", "runs", "notebooks", "edu_diffusion"):
        (root / name).mkdir(parents=True)
        (root / name / "file").write_text(name)
    (root / "notebooks" / "my_cat.png").write_text("a learner's picture")
    for name, text in (("pyproject.toml", PROJECT), ("backend.py", BACKEND), ("constraints.txt", "torch==1.0\ntiny-a==1.0\n")):
        (root / name).write_text(text)
    monkeypatch.setattr(environment, "clone_root", lambda: root)
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="the kit for this system is untried")
def test_a_kit_is_built_and_installed_from_alone(offline, store, tmp_path, monkeypatch, capfd):
    folder = tmp_path / "a stick é" / "kit"
    verb.run(Namespace(folder=folder, platform=None, python=None))
    assert "a kit for linux" in capfd.readouterr().out
    names = sorted(path.name.split("-")[0] for path in (folder / "wheels" / "linux").iterdir())
    assert names == ["editables", "tiny_a", "tiny_b", "tiny_build", "tiny_c", "tiny_pip", "torch"]
    copied = folder / "edu_diffusion"
    assert not any((copied / name).exists() for name in (".git", "work", "runs", "notebooks/my_cat.png"))
    assert (copied / "notebooks" / "file").is_file() and verb.faults(folder) == []

    shutil.rmtree(store)
    monkeypatch.delenv("PIP_NO_INDEX")
    building.install(copied, copied / ".venv", False, "done")
    log = (copied / ".venv" / "install.log").read_text()
    used = set(re.findall(r"Processing .*/kit/wheels/linux/(\w+?)-", log))
    assert used >= {"tiny_pip", "torch", "tiny_a", "tiny_b", "tiny_c"} and "Looking in indexes" not in log
    code = "import torch, tiny_a, tiny_b, tiny_c, tiny_pip"
    assert subprocess.run([*building.python(copied / ".venv"), "-c", code]).returncode == 0
    assert f"from the kit {folder}" in capfd.readouterr().err


def test_what_cannot_be_had_is_a_sentence_and_leaves_no_kit(offline, store, tmp_path):
    (store / "tiny_c-1.0-py3-none-any.whl").unlink()
    with pytest.raises(EduError, match=r"for linux could not be downloaded \(ERROR: No matching distribution found for tiny-c\)"):
        verb.build(tmp_path / "kit", ["linux"], VERSION)
    assert verb.faults(tmp_path / "kit") == [f"{tmp_path / 'kit'} is not a finished kit"]
    assert kit.kits(tmp_path / "kit" / "edu_diffusion") == []


def test_a_folder_with_other_files_is_not_used(offline, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.png").write_text("")
    (tmp_path / "file").write_text("")
    for folder, version, sentence in (
        (tmp_path / "photos", VERSION, "holds other files"),
        (tmp_path / "file", VERSION, "is a file"),
        (offline / "kit", VERSION, "lies inside the project"),
        (offline, VERSION, "holds other files"),
        (tmp_path / "kit", "3.10", "3.11 to 3.13"),
    ):
        with pytest.raises(EduError, match=sentence):
            verb.build(folder, ["linux"], version)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["cat.png"] and not (tmp_path / "kit").exists()


def test_an_installed_package_builds_no_kit(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "clone_root", lambda: None)
    with pytest.raises(EduError, match="built from the repository"):
        verb.build(tmp_path / "kit", ["linux"], VERSION)


def test_a_failed_installation_from_a_kit_does_not_ask_for_a_network():
    said = "ERROR: Could not find a version that satisfies x\nERROR: No matching distribution found for x"
    assert problem(said, "torch", "log", offline=True).startswith("the kit lacks a file for torch")
    assert "kit" not in problem(said, "torch", "log")


# ---------------------------------------------------------------- a kit that lies there


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A finished kit for this Python and system, with a project of one module; returns its folder."""
    monkeypatch.delenv(kit.VARIABLE, raising=False)
    folder = tmp_path / "a kit"
    wheel(folder / "wheels" / kit.this_platform(), "tiny")
    (folder / "edu_diffusion" / "edu_diffusion").mkdir(parents=True)
    code = f"import os, sys; print(sys.argv[1:], os.environ['{kit.VARIABLE}'], os.getcwd(), sys.executable)"
    (folder / "edu_diffusion" / "edu_diffusion" / "__main__.py").write_text(code)
    (folder / "edu_diffusion" / "edu_diffusion" / "__init__.py").write_text("")
    verb.write_texts(folder, kit_files.texts(VERSION, ["linux"], 400e6))
    card(folder, VERSION)
    return folder


def card(folder, version, **more):
    files.write_json(folder / kit.CARD, {"python": version, "platforms": ["linux"], "files": verb.checksums(folder)} | more)


def test_a_kit_is_found_beside_the_project_or_where_start_says(made, monkeypatch, tmp_path):
    assert kit.found(made / "edu_diffusion") == made
    assert kit.found(tmp_path / "elsewhere" / "edu_diffusion") is None
    monkeypatch.setenv(kit.VARIABLE, str(made))
    assert kit.found(tmp_path / "elsewhere" / "edu_diffusion") == made
    assert kit.settings(made)["PIP_FIND_LINKS"].endswith("/a%20kit/wheels/" + kit.this_platform())
    assert kit.settings(None) == {}


@pytest.mark.parametrize("change", ["python", "platform", "unfinished", "damaged", "gone"])
def test_a_kit_for_something_else_is_not_used(made, change):
    if change == "python":
        card(made, "3.9")
    elif change == "platform":
        (made / "wheels" / kit.this_platform()).rename(made / "wheels" / "another")
    elif change == "unfinished":
        files.write_json(made / kit.CARD, {"unfinished": True})
    elif change == "damaged":
        (made / kit.CARD).write_text("[")
    else:
        (made / kit.CARD).unlink()
    assert kit.found(made / "edu_diffusion") is None
    assert ("is not used" in kit.source(made / "edu_diffusion")) == (change in ("python", "platform"))


def test_every_fault_of_a_kit_is_found(made):
    assert verb.faults(made) == []
    (made / "python" / "linux").mkdir(parents=True)
    for words in ("a Python that the teacher added", "a newer one"):
        (made / "python" / "linux" / "python3").write_text(words)
        assert verb.faults(made) == []
        card(made, VERSION)
    module = made / "edu_diffusion" / "edu_diffusion" / "__main__.py"
    module.write_text(module.read_text() + " ")
    (made / "start.sh").unlink()
    assert verb.faults(made) == ["edu_diffusion/edu_diffusion/__main__.py is missing or damaged", "start.sh is missing or damaged"]


@pytest.fixture
def start(made, tmp_path):
    """Run start.sh with a home of its own; returns (exit code, words printed)."""

    def run(*words, path=os.environ["PATH"]):
        own = {"EDU_DIFFUSION_HOME": str(tmp_path / "my home"), "PATH": path}
        bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        ran = subprocess.run(
            ["/bin/sh", str(made / "start.sh"), *words], env=bare | own, capture_output=True, text=True, cwd=tmp_path
        )
        return ran.returncode, ran.stdout + ran.stderr

    return run


def python_at(path, version):
    """Make a program that is this Python, or says that it is another one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n' if version == VERSION else "#!/bin/sh\nexit 1\n")
    path.chmod(0o755)


@pytest.mark.skipif(sys.platform != "linux", reason="start.sh was tried on Linux")
def test_start_copies_the_project_once_and_starts_the_lessons(start, made, tmp_path):
    code, told = start()
    assert code == 0 and f"['lab'] {made} {tmp_path / 'my home'}" in told and "Copying" in told
    (tmp_path / "my home" / "work").mkdir()
    code, told = start("lab", "--school", "a b")
    assert code == 0 and f"['lab', '--school', 'a b'] {made}" in told and "Copying" not in told
    assert (tmp_path / "my home" / "work").is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="start.sh was tried on Linux")
def test_start_prefers_the_python_of_the_kit_and_names_what_is_missing(start, made, tmp_path):
    tools = tmp_path / "tools"
    for name in ("uname", "dirname", "cp", "mv", "rm"):
        tools.mkdir(exist_ok=True)
        (tools / name).symlink_to(shutil.which(name))
    python_at(tools / "python3", "3.9")
    code, told = start(path=str(tools))
    assert code == 1 and f"needs Python {VERSION}" in told
    shutil.rmtree(tmp_path / "my home")
    python_at(made / "python" / "linux" / "bin" / "python3", VERSION)
    code, told = start(path=str(tools))
    assert code == 0 and "['lab']" in told and (tmp_path / "my home" / "python" / "bin" / "python3").is_file()


def test_the_texts_say_for_which_python_and_that_others_are_untried():
    texts = kit_files.texts("3.12", ["linux", "windows"], 412e6)
    assert set(texts) == {"start.sh", "start.bat", "README.html"}
    assert not any(re.search("VERSION|PLATFORMS|SIZE", text) for text in texts.values())
    page = texts["README.html"]
    assert "Python 3.12 on linux and windows" in page and "412 MB" in page and "untried" in page and "doctor --class" in page
    assert texts["start.bat"].count("\r\n") == texts["start.bat"].count("\n") and "py -3.12" in texts["start.bat"]


# ---------------------------------------------------------------- the day before


def test_doctor_looks_further_only_when_asked(made):
    assert doctor.further(None) == ()
    for words, count in ((["doctor"], 0), (["doctor", "--class"], 6), (["doctor", "--kit", str(made)], 7)):
        assert len(doctor.further(main.understand(words)[0])) == count


def test_doctor_names_the_file_of_a_kit_that_is_damaged(made, capsys):
    check = doctor_class.checks(made)[0]
    assert doctor.report(check) and capsys.readouterr().out == f"[ok]   kit: {made} is complete\n"
    (made / "start.bat").write_text("")
    assert not doctor.report(check)
    assert re.search(r"\[FAIL\] kit: start.bat is missing or damaged\n +-> build or copy it again", capsys.readouterr().out)


def test_every_shipped_checkpoint_is_used():
    ok, text, _ = doctor_class.checkpoints()
    assert ok and {"base", "canny", "clip", "inversion", "judge", "lora"} <= set(re.findall(r"\w+", text)), text


def test_a_checkpoint_that_is_broken_or_draws_one_colour_is_named(monkeypatch, tmp_path):
    (tmp_path / "checkpoints" / "lora").mkdir(parents=True)
    (tmp_path / "checkpoints" / "lora" / "card.json").write_text("{}")
    monkeypatch.setattr(doctor_class, "PACKAGE", tmp_path)
    for result in (torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), float("nan"))):
        monkeypatch.setattr(doctor_class, "used", lambda folder, result=result: result)
        assert doctor_class.checkpoints()[:2] == (False, "checkpoints: lora: it gives an image of one colour")
    monkeypatch.setattr(doctor_class, "used", lambda folder: 1 / 0)
    ok, text, remedy = doctor_class.checkpoints()
    assert not ok and text == "checkpoints: lora: ZeroDivisionError: division by zero" and "lora" in remedy


def test_a_port_in_use_is_passed_over_and_none_is_reported(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor_class, "PORTS", range(port, port + 1))
        assert doctor_class.ports()[:2] == (False, f"ports: {port} to {port} are all in use")
    monkeypatch.setattr(doctor_class, "is_free", lambda port: port == 8890)
    monkeypatch.setattr(doctor_class, "PORTS", range(8888, 8939))
    assert doctor_class.ports()[:2] == (True, "ports: 8890 is free for JupyterLab")


def test_one_thread_of_many_is_reported(monkeypatch):
    for cores, threads, fine in ((8, 1, False), (8, 4, True), (1, 1, True)):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert doctor_class.threads()[0] == fine


@pytest.mark.parametrize("seconds, fine", [(2.0, True), (31.0, False)])
def test_the_speed_is_that_of_the_second_image(monkeypatch, seconds, fine):
    clock, asked = [0.0], []

    def drawn(pipe, count=2):
        asked.append(count)
        clock[0] += 100 if count == 2 else seconds

    import edu_diffusion

    monkeypatch.setattr(edu_diffusion, "models", Namespace(load=lambda name: None), raising=False)
    monkeypatch.setattr(doctor_class, "drawn", drawn)
    monkeypatch.setattr(doctor_class.time, "perf_counter", lambda: clock[0])
    assert doctor_class.picture()[:2] == (fine, f"speed: {seconds:.1f} s for an image of 20 steps") and asked == [2, 20]


@pytest.mark.parametrize("seconds, fine", [(90, True), (1000, False)])
def test_the_first_lesson_is_run_and_measured(monkeypatch, tmp_path, seconds, fine):
    clock, ran = [0.0], []
    for name in ("00_start", "01_noise"):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))

    def execute(notebook, name):
        ran.append(name)
        clock[0] += seconds

    monkeypatch.setattr(lessons, "source", lambda: tmp_path)
    monkeypatch.setattr(render, "execute", execute)
    monkeypatch.setattr(doctor_class.time, "perf_counter", lambda: clock[0])
    ok, text, _ = doctor_class.lesson()
    assert ok == fine and f"00_start runs, {seconds / 60:.1f} minutes" in text and ran == ["00_start.ipynb"]
