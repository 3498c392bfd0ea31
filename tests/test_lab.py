"""The verb `lab` among a learner's files, options and settings: JupyterLab starts, with a token, and so does the kernel."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import Namespace
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel
from traitlets.config import Config

from edu_diffusion.cli import lab, lessons, server
from edu_diffusion.errors import EduError

pytestmark = pytest.mark.fault("ugly")

LIBRARIES = ("random", "json", "torch", "re", "types", "enum", "ipykernel", "zmq", "jupyterlab", "numpy")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A learner's folder: a lesson, a module, and modules that have the names of libraries."""
    folder = tmp_path_factory.mktemp("é a")
    (folder / "00_start.ipynb").write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    for name in LIBRARIES:
        (folder / f"{name}.py").write_text("raise SystemExit('a file of the learner')")
    (folder / "helper.py").write_text("answer = 42")
    return folder


# ---------------------------------------------------------------- options


def chosen(*rest, folder="work"):
    return lab.lab_command(folder, list(rest))[3:]


@pytest.mark.fault("ugly")
@pytest.mark.parametrize(
    "mine, replaced",
    [
        (["--ip=0.0.0.0"], "--ServerApp.ip"),
        (["--ip", "0.0.0.0"], "--ServerApp.ip"),
        (["--ServerApp.ip=::1"], "--ServerApp.ip"),
        (["--LabApp.default_url=/tree"], "--LabApp.default_url"),
        (["--ServerApp.default_url=/tree"], "--LabApp.default_url"),
        (["--KernelSpecManager.allowed_kernelspecs=r"], "--KernelSpecManager.allowed_kernelspecs"),
        (["--LabApp.news-url=None"], "--LabApp.news_url"),
    ],
)
def test_the_users_option_replaces_ours(folder, mine, replaced):
    before, now = chosen(folder=folder), chosen(*mine, folder=folder)
    assert [o for o in before if o.startswith(replaced)] and now == [o for o in before if not o.startswith(replaced)] + mine


def test_other_options_and_words_replace_nothing():
    mine = ["--port=1", "--port-retries", "3", "ip", "--allow-root", "05_clip.ipynb"]
    assert chosen(*mine) == [*chosen(), *mine]


@pytest.mark.fault("silent")
@pytest.mark.parametrize("section", server.PROVIDERS)
def test_an_empty_token_in_a_file_is_forgotten(section):
    config = Config({section: {"token": "", "other": 1}})
    server.keep_token(config, Config({"ServerApp": {"ip": "127.0.0.1"}}))
    assert config == {section: {"other": 1}}


@pytest.mark.parametrize(
    "config, asked",
    [
        ({"IdentityProvider": {"token": "mine"}}, {}),
        ({"ServerApp": {"ip": "::1"}}, {}),
        ({}, {}),
        ({"IdentityProvider": {"token": ""}}, {"IdentityProvider": {"token": ""}}),
        ({"IdentityProvider": {"token": ""}}, {"ServerApp": {"token": ""}}),
    ],
)
def test_a_token_that_the_user_chose_stays(config, asked):
    before = Config(config)
    server.keep_token(before, Config(asked))
    assert before == Config(config)


# ---------------------------------------------------------------- a real server


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def settings(tmp_path, text):
    """Jupyter's folders of a user whose configuration file is `text`."""
    names = (
        "JUPYTER_CONFIG_DIR",
        "JUPYTER_DATA_DIR",
        "JUPYTER_RUNTIME_DIR",
        "JUPYTERLAB_SETTINGS_DIR",
        "JUPYTERLAB_WORKSPACES_DIR",
    )
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / "JUPYTER_CONFIG_DIR" / "jupyter_server_config.py").write_text(text)
    (tmp_path / "JUPYTER_CONFIG_DIR" / "jupyter_lab_config.py").write_text(text)
    return {name: str(tmp_path / name) for name in names}


@contextlib.contextmanager
def served(folder, environment, *more):
    """Start JupyterLab as `lab` does; yields (address, what it has logged), once it answers."""
    address, log = f"http://127.0.0.1:{free_port()}", Path(environment["JUPYTER_DATA_DIR"]) / "log"
    rest = ["--no-browser", f"--port={address.rpartition(':')[2]}", "--ServerApp.port_retries=0", "--allow-root", *more]
    with open(log, "w") as file:
        process = subprocess.Popen(
            lab.safely(lab.lab_command(folder, rest)),
            cwd=folder,
            env=lab.lab_environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        while page(f"{address}/api") is None and process.poll() is None:
            time.sleep(0.1)
        yield address, log.read_text()
    finally:
        process.terminate()
        process.wait(60)


def page(url):
    """Return (status, body), or None while there is no answer."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except OSError:
        return None


@pytest.mark.fault("silent")
@pytest.mark.parametrize("section", ["IdentityProvider", "ServerApp", "PasswordIdentityProvider"])
def test_jupyterlab_keeps_its_token_and_starts_among_modules_with_the_names_of_libraries(folder, tmp_path, section):
    with served(folder, settings(tmp_path, f"c.{section}.token = ''\nc.ServerApp.ip = '0.0.0.0'")) as (address, log):
        token = re.search(r"127.0.0.1:\d+/lab/tree/00_start.ipynb\?token=([0-9a-f]{48})", log)
        assert token and "0.0.0.0" not in log and "a file of the learner" not in log, log
        assert page(f"{address}/api/contents")[0] == 403
        status, body = page(f"{address}/api/kernelspecs?token={token[1]}")
        found = json.loads(body)
        assert status == 200 and list(found["kernelspecs"]) == ["python3"] and found["default"] == "python3"
        assert "edu_diffusion.cli.kernel" in " ".join(found["kernelspecs"]["python3"]["spec"]["argv"])


def test_whoever_asks_for_no_token_gets_none(folder, tmp_path):
    with served(folder, settings(tmp_path, ""), "--IdentityProvider.token=", "--ip=localhost") as (address, log):
        assert page(f"{address}/api/contents")[0] == 200, log


# ---------------------------------------------------------------- a real kernel


@pytest.fixture(scope="module")
def kernel(folder):
    """Run a cell in the lessons' kernel, as `lab` starts it; returns its messages as {kind: text}."""
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = lab.lab_environment()["JUPYTER_PATH"]
    try:
        manager, client = start_new_kernel(cwd=str(folder), env=lab.lab_environment(), startup_timeout=120)
    finally:
        os.environ.pop("JUPYTER_PATH") if before is None else os.environ.update(JUPYTER_PATH=before)

    def run(code):
        told = {}

        def hook(message):
            content = message["content"]
            kind = content.get("name") if message["msg_type"] == "stream" else message["msg_type"]
            told[kind] = told.get(kind, "") + str(content.get("text") or content.get("traceback") or "")

        told["status"] = client.execute_interactive(code, timeout=120, output_hook=hook)["content"]["status"]
        return told

    yield run
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.fault("ugly")
def test_the_kernel_starts_among_modules_with_the_names_of_libraries(kernel):
    told = kernel(f"import helper, {', '.join(LIBRARIES)}\nprint(helper.answer, torch.ones(1).item(), random.Random)")
    assert told["stdout"] == "42 1.0 <class 'random.Random'>\n" and told["status"] == "ok"
    assert kernel("import sys; print(sys.executable, sys.flags.utf8_mode)")["stdout"] == f"{sys.executable} 1\n"


@pytest.mark.fault("ugly")
def test_a_cell_that_was_run_too_early_says_so(kernel):
    told = kernel("pipe.unet")
    assert told["status"] == "error" and "NameError" in told["error"]
    assert told["stderr"] == (
        "pipe is not known yet. If a cell further up makes it, run that one first: Run > Run All Above Selected Cell.\n"
    )
    assert "stderr" not in kernel("1 / 0") and kernel("print('goes on')")["stdout"] == "goes on\n"


@pytest.mark.fault("lost")
@pytest.mark.parametrize("body", ["exit()", "quit()", "__import__('os')._exit(1)", "raise KeyboardInterrupt"])
def test_an_answer_that_ends_python_leaves_the_kernel_and_its_variables(kernel, body):
    kernel("kept = 7; import edu_diffusion as ed")
    told = kernel(f"def mine(x_0, eps, abar_t):\n    {body}\nprint(ed.check('q_sample', mine))")
    assert told["stdout"].startswith("Not yet: it ") and told["status"] == "ok"
    assert kernel("print(kept)")["stdout"] == "7\n"


# ---------------------------------------------------------------- the folder


def test_modules_that_have_a_librarys_name(folder, tmp_path):
    assert lab.shadows(folder) == sorted(f"{name}.py" for name in LIBRARIES)
    for name in ("mine.py", "my-own.py", "two.dots.py", "numpy.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "diffusers").mkdir()
    assert lab.shadows(tmp_path) == []
    (tmp_path / "diffusers" / "__init__.py").write_text("")
    assert lab.shadows(tmp_path) == ["diffusers"]


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Run the verb with lessons in one folder and the learner's in another; returns what was started."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start.ipynb").write_text(json.dumps({"cells": []}))
    monkeypatch.setattr(lessons, "source", lambda: tmp_path / "notebooks")
    monkeypatch.setattr(lab.install, "home", lambda: tmp_path)
    done = []
    monkeypatch.setattr(lab.os, "execve", lambda *given: done.append(given))
    monkeypatch.chdir(tmp_path)
    return done, tmp_path


@pytest.mark.skipif(os.name == "nt", reason="Windows does not replace a process")
def test_the_verb_starts_the_server_safely_and_names_what_it_found(started, capsys):
    done, home = started
    (home / "work").mkdir()
    (home / "work" / "random.py").write_text("")
    (home / "notebooks" / "05_clip.ipynb").write_text("<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> theirs\n")
    lab.run(Namespace(teacher=False), ["--port=1"])
    ((program, command, environment),) = done
    assert command[:7] == [program, "-X", "utf8", "-P", "-m", "edu_diffusion.cli.server", "--ServerApp.ip=127.0.0.1"]
    assert command[-1] == "--port=1" and os.getcwd() == str(home / "work") and environment["PYTHONUTF8"] == "1"
    told = capsys.readouterr().out.splitlines()
    assert len(told) == 2 and "05_clip.ipynb is not copied, because it is in the middle of a merge" in told[0]
    assert told[1].startswith("random.py has the name of a library")
    assert (home / "work" / "00_start.ipynb").is_file()


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("teacher", [True, False])
def test_a_folder_that_cannot_be_used_is_a_sentence(started, teacher):
    done, home = started
    (home / "notebooks" / "00_start.ipynb").unlink()
    (home / "notebooks").rmdir()
    (home / "work").write_text("a file in its place")
    with pytest.raises(EduError, match="cannot be (opened|copied).*(make it readable|make the folder writable)"):
        lab.run(Namespace(teacher=teacher))
    assert not done
