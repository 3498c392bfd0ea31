"""Installation: decisions, messages, and recovery after an interruption. Nothing is downloaded."""

import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from edu_diffusion import __main__, __version__
from edu_diffusion.errors import EduError
from edu_diffusion.install import building, keeping, torch_build
from edu_diffusion.install import environment as install
from edu_diffusion.install.pip import Pip

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


# ---------------------------------------------------------------- old and new Pythons


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 6, 15), (3, 10, 0)])
def test_an_old_python_gets_one_sentence(version):
    problem = __main__.version_problem(version)
    assert "Python 3.11 to 3.13" in problem and "%d.%d" % version[:2] in problem and "\n" not in problem


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 13, 9), (3, 14, 0)])
def test_a_new_python_is_let_through(version):
    assert __main__.version_problem(version) is None


@pytest.mark.parametrize("file", ["__init__.py", "__main__.py", "errors.py"])
def test_the_first_files_parse_on_any_python(file):
    source = (ROOT / "edu_diffusion" / file).read_bytes()
    nodes = list(ast.walk(ast.parse(source)))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef, ast.Match, ast.Starred)
    assert source.isascii(), "Python 2 refuses other characters without a coding line"
    assert not [node for node in nodes if isinstance(node, newer)]
    assert not [node for node in nodes if isinstance(node, ast.arg) and node.annotation]


def test_the_command_line_needs_the_standard_library_only():
    code = (
        "import sys, edu_diffusion.cli.main, edu_diffusion.install.environment, edu_diffusion.cli.lessons; "
        "print(sorted({name.split('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert ran.stdout.strip() in ("['__main__', 'edu_diffusion']", "['edu_diffusion']")


# ---------------------------------------------------------------- the decision


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A clone in a folder with a space and an accent, and a list of what `ensure` did."""
    root = tmp_path / "é a"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]")
    (root / "constraints.txt").write_text("torch==2.13.0\n")
    done = []
    monkeypatch.delenv(install.INSIDE, raising=False)
    monkeypatch.setattr(install, "clone_root", lambda: root)
    monkeypatch.setattr(install, "missing", lambda modules: [m for m in modules if m in ("torch", "nbval")])
    monkeypatch.setattr(building, "works", lambda venv: True)
    monkeypatch.setattr(building, "install", lambda root, venv, usable, fingerprint: done.append("install"))
    monkeypatch.setattr(install, "rerun", lambda root, venv, arguments: done.append(["rerun", *arguments]))
    return root, done


def finish(root, text):
    (root / ".venv").mkdir()
    keeping.stamp_file(root / ".venv").write_text(text)


def test_a_bare_python_installs_and_runs_the_same_command_again(clone):
    install.ensure(["lab", "--port", "1"])
    assert clone[1] == ["install", ["rerun", "lab", "--port", "1"]]


def test_the_second_start_installs_nothing(clone):
    finish(clone[0], install.fingerprint(clone[0]))
    install.ensure(["doctor"])
    assert clone[1] == [["rerun", "doctor"]]


@pytest.mark.parametrize("stamp", [keeping.UNFINISHED, "0" * 64, ""])
def test_a_cut_off_or_outdated_installation_is_done_again(clone, stamp):
    finish(clone[0], stamp)
    install.ensure(["doctor"])
    assert clone[1] == ["install", ["rerun", "doctor"]]


def test_an_environment_whose_python_is_gone_is_made_again(clone, monkeypatch):
    finish(clone[0], install.fingerprint(clone[0]))
    monkeypatch.setattr(building, "works", lambda venv: False)
    install.ensure(["doctor"])
    assert clone[1][0] == "install"


def test_new_constraints_mean_a_new_fingerprint(clone):
    before = install.fingerprint(clone[0])
    (clone[0] / "constraints.txt").write_text("torch==2.13.1\n")
    assert install.fingerprint(clone[0]) != before


def test_only_what_is_installed_counts(clone):
    """An update takes minutes, and needs the network."""
    file, prints = clone[0] / "pyproject.toml", set()
    for text in ("[project]", "[project]\r\n[tool.ruff]\r\nline-length = 9", "[project]\ndescription = 'x'"):
        file.write_text(text)
        prints.add(install.fingerprint(clone[0]))
    assert len(prints) == 1
    for more in ("dependencies = ['a']", "optional-dependencies.test = ['a']", "[build-system]\nrequires = []"):
        file.write_text(f"[project]\n{more}")
        prints.add(install.fingerprint(clone[0]))
    assert len(prints) == 4


def test_in_an_environment_that_has_everything_it_just_runs(clone, monkeypatch):
    monkeypatch.setattr(install, "missing", lambda modules: [m for m in modules if m == "nbval"])
    install.ensure(["lab"])
    assert clone[1] == []
    install.ensure(["test"], test=True)
    assert clone[1] == ["install", ["rerun", "test"]], "the tests need more than the lessons"


def test_inside_it_refuses_instead_of_looping(clone, monkeypatch):
    monkeypatch.setenv(install.INSIDE, "1")
    with pytest.raises(EduError, match=f"missing here: torch;.*pip install -c .{clone[0]}/constraints.txt. -e .{clone[0]}.test"):
        install.ensure(["lab"])
    assert clone[1] == [] and install.INSIDE not in os.environ


@pytest.mark.skipif(os.name == "nt", reason="Windows does not replace a process")
def test_the_command_is_repeated_safely(clone, monkeypatch):
    """In UTF-8 mode, and not stopped by a random.py in the folder where it was typed."""
    started = []
    monkeypatch.setattr(install.os, "execve", lambda *given: started.append(given))
    RERUN(clone[0], clone[0] / ".venv", ["lab", "--port", "1"])
    ((program, command, environment),) = started
    assert command == [program, "-X", "utf8", "-P", "-m", "edu_diffusion", "lab", "--port", "1"]
    assert environment[install.INSIDE] == "1"


RERUN = install.rerun


def test_children_find_the_package_by_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["/other", str(tmp_path)]))
    assert install.child_environment(tmp_path)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), "/other"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([".", "", "lib"]))
    assert install.child_environment(None)["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), str(tmp_path / "lib")]


def test_the_environments_python_on_both_systems():
    assert building.venv_python("v", "posix").as_posix() == "v/bin/python"
    assert building.venv_python("v", "nt").as_posix() == "v/Scripts/python.exe"


# ---------------------------------------------------------------- making the environment


@pytest.fixture
def root(tmp_path):
    """A clone in a folder with a space and an accent."""
    root = tmp_path / "é a"
    root.mkdir()
    return root


def environment(venv, stamp):
    """Make an environment without pip, which takes no time, with a file to recognise it by."""
    subprocess.run([sys.executable, "-X", "utf8", "-m", "venv", "--without-pip", str(venv)], check=True)
    keeping.stamp_file(venv).write_text(stamp)
    (venv / "mark").write_text(stamp)
    return venv


@pytest.fixture
def empty(monkeypatch):
    """Let installations build and fill environments without pip."""

    def build(venv):
        (venv / "new").write_text("")

    monkeypatch.setattr(building, "build_venv", build)
    monkeypatch.setattr(building, "fill", lambda root, venv: None)


def beside(root):
    return sorted(path.name for path in root.iterdir())


def test_an_environment_is_built_with_pip(root):
    building.make_venv(root / ".venv")
    assert building.works(root / ".venv") and keeping.stamp(root / ".venv") == keeping.UNFINISHED
    ran = subprocess.run([*building.python(root / ".venv"), "-m", "pip", "--version"], capture_output=True, text=True)
    assert ran.returncode == 0 and "é a" in ran.stdout


def test_a_cut_off_environment_is_built_from_nothing(root, empty):
    (root / ".venv").mkdir()
    keeping.stamp_file(root / ".venv").write_text(keeping.UNFINISHED)
    (root / ".venv" / "half").write_text("a file")
    building.install(root, root / ".venv", False, "done")
    assert keeping.stamp(root / ".venv") == "done" and not (root / ".venv" / "half").exists() and beside(root) == [".venv"]


def test_somebody_elses_environment_is_not_touched(root, empty):
    (root / ".venv").mkdir()
    (root / ".venv" / "precious").write_text("x")
    with pytest.raises(EduError, match="did not create"):
        building.install(root, root / ".venv", False, "done")
    assert (root / ".venv" / "precious").exists() and beside(root) == [".venv"]


def test_a_python_without_venv_gets_the_remedy(root, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(EduError, match="lacks the ensurepip module.*sudo apt install python3-venv"):
        building.make_venv(root / ".venv")


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EduError, match="check that the folder is writable"):
        building.make_venv(tmp_path / "file" / ".venv")


@pytest.mark.fault("ugly")
def test_a_venv_that_cannot_be_built_is_a_sentence(root, monkeypatch):
    monkeypatch.setattr(sys, "_base_executable", shutil.which("false"))
    with pytest.raises(EduError, match=r"could not create the environment .* \(venv ended with 1\); check") as caught:
        building.make_venv(root / ".venv")
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- nothing that works is lost


def failing(error):
    def fill(root, venv):
        (venv / "install.log").write_text("what went wrong")
        raise error

    return fill


@pytest.mark.fault("lost")
@pytest.mark.parametrize("error", [EduError("no network"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("usable", [True, False])
def test_an_installation_that_stops_leaves_the_old_environment(root, empty, monkeypatch, error, usable):
    venv = environment(root / ".venv", "before")
    monkeypatch.setattr(building, "fill", failing(error))
    with pytest.raises(type(error)):
        building.install(root, venv, usable, "after")
    assert keeping.stamp(venv) == "before" and building.works(venv) and (venv / "mark").exists()
    assert beside(root) == [".venv"] and (venv / "install.log").read_text() == "what went wrong"


@pytest.mark.parametrize("usable", [True, False])
def test_the_old_environment_goes_when_the_new_one_is_finished(root, empty, usable):
    venv = environment(root / ".venv", "before")
    building.install(root, venv, usable, "after")
    assert keeping.stamp(venv) == "after" and beside(root) == [".venv"]
    assert (venv / "mark").exists() is usable, "one that works is updated"
    assert not usable or building.works(venv)


@pytest.mark.fault("lost")
def test_offline_an_update_that_fails_goes_on_with_what_is_there(clone, empty, monkeypatch, capsys):
    root, done = clone
    environment(root / ".venv", "before")
    monkeypatch.setattr(building, "install", INSTALL)
    monkeypatch.setattr(building, "fill", failing(EduError("no network: connect and repeat")))
    install.ensure(["lab"])
    told = capsys.readouterr().err
    assert done == [["rerun", "lab"]] and "no network: connect and repeat.\nGoing on with the packages from before" in told
    monkeypatch.setattr(building, "works", lambda venv: False)
    with pytest.raises(EduError, match="no network"):
        install.ensure(["lab"])
    assert (root / ".venv" / "mark").exists(), "it may work again tomorrow"


INSTALL = building.install


def noting(step, venv, seen):
    """A step of an installation that first copies the state of the disk."""

    def noted(*given, **more):
        seen.append(shutil.copytree(venv.parent, venv.parent.with_name(f"stage {len(seen)}"), symlinks=True))
        return step(*given, **more)

    return noted


@pytest.mark.fault("lost")
@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("usable", [True, False])
def test_a_kill_between_any_two_steps_loses_nothing(root, empty, monkeypatch, ends, usable):
    """Each state of the disk, as a kill would leave it, is put right at the next start."""
    venv, seen = environment(root / ".venv", "before"), []
    fill = (lambda root, venv: None) if ends else failing(EduError("no network"))
    with monkeypatch.context() as patch, contextlib.suppress(EduError):
        for place, name in ((keeping.os, "replace"), (keeping.shutil, "rmtree"), (building, "by_relative_path")):
            patch.setattr(place, name, noting(getattr(place, name), venv, seen))
        patch.setattr(building, "fill", noting(fill, venv, seen))
        building.install(root, venv, usable, "after")
    assert len(seen) >= 4
    for stage in seen:
        keeping.settle(stage / ".venv")
        assert beside(stage) == [".venv"] and keeping.stamp(stage / ".venv") in {"before", "after"}
        assert (stage / ".venv" / "mark").exists() or (stage / ".venv" / "new").exists()


@pytest.mark.fault("lost")
def test_an_environment_stays_in_use_while_it_is_updated(root, empty, monkeypatch):
    """JupyterLab may run from it, and other commands start from it."""
    venv, seen = environment(root / ".venv", "before"), []
    monkeypatch.setattr(keeping, "move", lambda path, target: os.replace(path, target) or seen.append(building.works(venv)))
    monkeypatch.setattr(building, "fill", lambda root, venv: seen.append(building.works(venv)))
    building.install(root, venv, True, "after")
    assert seen == [True, True, True]


@pytest.mark.fault("lost")
def test_a_killed_installation_is_undone_at_the_next_start(root):
    """A real process, killed while it installs; a second one, which waits for it, finds everything as it was."""
    venv = environment(root / ".venv", "before")
    code = (
        f"import sys, time; from pathlib import Path; sys.path.insert(0, {str(ROOT)!r})\n"
        "from edu_diffusion.install import building, environment, keeping\n"
        "root = Path(sys.argv[1]); building.build_venv = lambda venv: None\n"
        "def fill(root, venv):\n    print('filling', flush=True); time.sleep(600)\n"
        "building.fill = fill; environment.fingerprint = lambda root: 'after'\n"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", f"{code}environment.renew(root, root / '.venv')", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert first.stdout.readline() == "filling\n" and beside(root) == [".venv", ".venv.old"]
    assert keeping.stamp(venv) == keeping.UNFINISHED
    second = subprocess.Popen(
        [sys.executable, "-c", f"{code}environment.tidy(root, root / '.venv')", str(root)], stderr=subprocess.PIPE, text=True
    )
    assert "this one waits for it" in second.stderr.readline() and beside(root) == [".venv", ".venv.old"]
    first.kill()
    first.communicate()
    second.communicate()
    assert second.returncode == 0 and beside(root) == [".venv"]
    assert keeping.stamp(venv) == "before" and building.works(venv)


def test_leftovers_are_swept_at_the_next_start(clone):
    root, done = clone
    finish(root, install.fingerprint(root))
    for name in (".venv.old", ".venv.gone-1"):
        (root / name).mkdir()
        (root / name / "file").write_text("")
    install.ensure(["doctor"])
    assert done == [["rerun", "doctor"]] and not keeping.leftovers(root / ".venv")


@pytest.mark.fault("lost")
def test_what_was_put_aside_stays_while_somebody_elses_environment_is_in_its_place(root):
    (root / ".venv").mkdir()
    (root / ".venv" / "precious").write_text("x")
    environment(root / ".venv.old", "before")
    keeping.settle(root / ".venv")
    assert beside(root) == [".venv", ".venv.old"] and (root / ".venv" / "precious").exists()


@pytest.mark.fault("ugly")
def test_an_environment_in_use_that_cannot_be_moved_is_a_sentence(root, empty, monkeypatch):
    """Windows does not rename the folder of a program that runs."""
    venv = environment(root / ".venv", "before")

    def refuse(*paths):
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(keeping.os, "replace", refuse)
    with pytest.raises(EduError, match="cannot be renamed to .venv.old .Access is denied.*close the programs that use it"):
        building.install(root, venv, False, "after")
    assert keeping.stamp(venv) == "before" and building.works(venv)


@pytest.mark.fault("ugly")
def test_a_disk_that_is_full_while_copying_is_a_sentence(root, empty, monkeypatch):
    venv = environment(root / ".venv", "before")

    def full(*paths, **more):
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device")] * 1000)

    monkeypatch.setattr(keeping.shutil, "copytree", full)
    with pytest.raises(EduError, match="cannot be copied before it is updated .*No space left on device.; free") as caught:
        building.install(root, venv, True, "after")
    assert len(str(caught.value)) < 400 and keeping.stamp(venv) == "before" and beside(root) == [".venv"]


# ---------------------------------------------------------------- any locale

LOCALES = [{"LC_ALL": "C"}, {"LC_ALL": "xx_XX.UTF-8"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"LC_ALL": "C.UTF-8"}]


@pytest.mark.fault("lost")
@pytest.mark.parametrize("locale", LOCALES, ids=lambda locale: " ".join(locale.values()))
def test_an_accent_in_the_path_works_in_any_locale(root, monkeypatch, locale):
    """The absolute path in the .pth file of an editable installation is what Python 3.11 cannot read."""
    venv = environment(root / ".venv", "before")
    site = next(venv.glob("[lL]ib/**/site-packages"))
    file = site / "_editable_impl_edu_diffusion.pth"
    file.write_text(str(root), encoding="utf-8")
    (root / "edu_diffusion.py").write_text("here = True")
    monkeypatch.delenv("PYTHONPATH", raising=False)  # by which `test` names the package itself: the .pth file must be what finds it
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    assert building.works(venv) and file.read_bytes().isascii()
    subprocess.run([building.venv_python(venv), "-c", "import edu_diffusion; assert edu_diffusion.here"], check=True, cwd="/")


@pytest.mark.fault("ugly")
def test_an_environment_is_built_in_any_locale(root, monkeypatch):
    """In a process of its own: the encoding of paths is fixed when Python starts."""
    code = (
        f"import sys; from pathlib import Path; sys.path.insert(0, {str(ROOT)!r})\n"
        "from edu_diffusion.install import building\n"
        "building.make_venv(Path(sys.argv[1])); assert building.works(Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, root / ".venv"], check=True, env=os.environ | LOCALES[2])


@pytest.mark.fault("ugly")
def test_a_module_of_the_learners_does_not_stop_an_installation(root, monkeypatch):
    """Python puts the current folder first; csv is what importlib.metadata imports."""
    (root / "csv.py").write_text("raise SystemExit('the learner wrote this')")
    monkeypatch.chdir(root)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    pip = Pip(sys.executable, root, root / "log")
    assert torch_build.installed_torch(pip) == metadata.version("torch") and pip("pip", "--version")


# ---------------------------------------------------------------- which torch


class FakePip:
    """Records what pip was asked for; `fails` names the announcement that fails."""

    def __init__(self, fails=None):
        self.fails, self.asked = fails, []

    def __call__(self, what, *arguments, may_fail=False):
        self.asked.append(arguments)
        return what != self.fails


PLAIN = ("install", "-c", "constraints.txt", "torch==2.13.0")


def found(*names, url="file:///nowhere"):
    return [{"metadata": {"name": name}, "download_info": {"url": url}} for name in names]


@pytest.fixture
def choose(tmp_path, monkeypatch, capsys):
    """Run install_torch for a machine; return the fake pip, and what was said."""
    (tmp_path / "constraints.txt").write_text("# pins\nsympy==1.14.0\ntorch==2.13.0\n")

    def run(resolved, nvidia, fails=None, platform="linux"):
        pip = FakePip(fails)
        monkeypatch.setattr(torch_build, "resolve", lambda pin, root, pip: resolved)
        monkeypatch.setattr(torch_build, "has_nvidia", lambda: nvidia)
        monkeypatch.setattr(torch_build, "file_size", lambda url: 500_000_000)
        monkeypatch.setattr(sys, "platform", platform)
        torch_build.install_torch(tmp_path, pip)
        return pip.asked, capsys.readouterr().err

    return run


def test_a_build_without_cuda_that_pip_finds_itself_is_preferred(choose):
    assert choose(found("torch", "sympy"), nvidia=False) == ([PLAIN], "")


def test_without_a_card_the_cpu_index_is_asked(choose):
    asked, said = choose(found("torch", "nvidia-cudnn-cu13"), nvidia=False)
    assert len(asked) == 1 and asked[0][-2:] == (torch_build.CPU_INDEX, "torch==2.13.0")
    assert said == ""


def test_if_only_cuda_can_be_had_the_gigabytes_are_named_first(choose):
    asked, said = choose(found("torch", "nvidia-cudnn-cu13", "cuda-toolkit"), nvidia=False, fails="torch's CPU build")
    assert "1.5 GB to download" in said and "is not available" in said
    assert len(asked) == 2 and asked[1] == PLAIN


def test_with_a_card_the_plain_wheel_is_taken_and_its_size_named(choose):
    asked, said = choose(found("torch", "nvidia-cudnn-cu13"), nvidia=True)
    assert asked == [PLAIN] and "1.0 GB to download" in said and "is not available" not in said


def test_other_systems_have_one_wheel(choose):
    assert choose(found("torch", "nvidia-cudnn-cu13"), nvidia=False, platform="darwin")[0] == [PLAIN]


def test_sizes_come_from_the_server_or_are_called_an_estimate(tmp_path):
    (tmp_path / "wheel").write_bytes(b"x" * 2_000_000)
    real = found("torch", "nvidia-x", url=(tmp_path / "wheel").as_uri())
    assert torch_build.file_size(real[0]["download_info"]["url"]) == 2_000_000
    assert torch_build.size(real) == "0.0 GB"
    assert "estimate" in torch_build.size(real + found("other"))


# ---------------------------------------------------------------- what pip says


@pytest.fixture
def scripted(tmp_path, monkeypatch):
    """Make a Pip that runs a script of ours instead of pip."""

    def make(*lines):
        (tmp_path / "pip.py").write_text("\n".join(["import sys", *lines]), encoding="utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))  # `-m pip` finds it first
        return Pip(sys.executable, tmp_path, tmp_path / "log")

    return make


@pytest.mark.parametrize(
    "output, expected",
    [
        (
            "WARNING: Retrying ... NewConnectionError('[Errno -3] Temporary failure in name resolution')\n"
            "ERROR: No matching distribution found for pip",
            "no network.*set HTTPS_PROXY",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "the disk is full.*free about 2 GB",
        ),
        ("ERROR: something else\n\n", "failed \\(ERROR: something else\\); the full output is in .*log$"),
        ("", "failed \\(no output\\)"),
    ],
)
def test_a_failed_pip_is_one_sentence(scripted, output, expected, capfd):
    pip = scripted(f"print({output!r}, file=sys.stderr)", "sys.exit(1)")
    with pytest.raises(EduError, match=expected) as caught:
        pip("torch", "install", "torch")
    assert "\n" not in str(caught.value)
    assert output in capfd.readouterr().err, "pip's own words stay on the screen"
    assert pip("torch", "install", "torch", may_fail=True) is False


def test_pip_is_announced_and_its_words_are_shown_but_not_on_stdout(scripted, capfd):
    pip = scripted(
        "print('Downloading a-1.whl (190 MB): 45 of 190 MB')",
        "print('WARNING: Retrying é', file=sys.stderr)",
        "print(sys.argv[1:])",
    )
    assert pip("torch", "install", "torch") is True
    told = capfd.readouterr()
    assert told.out == "", "a command's output may be read by a program"
    assert told.err.startswith("Installing torch:\n")
    assert "45 of 190 MB\n" in told.err and "WARNING: Retrying é\n" in told.err
    assert str(["--log", str(pip.log), "install", "torch"]) in told.err


def test_a_retry_is_shown_while_pip_goes_on(scripted, tmp_path, monkeypatch):
    """The script waits until its warning was shown, and fails if that does not happen."""

    class Screen:
        fileno = sys.__stderr__.fileno

        def write(self, text):
            if "Retrying" in text:
                (tmp_path / "shown").touch()

        def flush(self):
            pass

    monkeypatch.setattr(sys, "stderr", Screen())
    pip = scripted(
        "import os, time",
        "print('WARNING: Retrying', file=sys.stderr)",
        "for _ in range(200):",
        "    os.path.exists('shown') and sys.exit()",
        "    time.sleep(0.05)",
        "sys.exit(1)",
    )
    assert pip("torch", may_fail=True)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals in the standard library")
def test_in_a_terminal_pip_can_draw_its_progress_bar(scripted, monkeypatch):
    _, theirs = os.openpty()
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        assert scripted("sys.exit(not sys.stdout.isatty())")("torch", may_fail=True)


def test_the_users_settings_do_not_lead_pip_elsewhere(scripted, monkeypatch):
    for name, value in (("PIP_USER", "1"), ("PIP_QUIET", "3"), ("PIP_INDEX_URL", "https://mirror")):
        monkeypatch.setenv(name, value)
    wanted = {"PIP_USER": "0", "PIP_QUIET": "0", "PIP_NO_INPUT": "1", "PIP_INDEX_URL": "https://mirror"}
    assert scripted("import os", f"sys.exit(not {wanted!r}.items() <= os.environ.items())")("pip", may_fail=True)


def test_no_network_stops_the_installation_with_a_sentence(tmp_path, capfd):
    """With a real pip: it says that it tries again, and logs more than it shows."""
    venv = tmp_path / ".venv"
    building.make_venv(venv)
    pip = Pip(building.venv_python(venv), tmp_path, tmp_path / "log")
    arguments = (
        "install",
        "--isolated",
        "--retries",
        "1",
        "--timeout",
        "2",
        "--no-cache-dir",
        "--index-url",
        "http://127.0.0.1:9/simple",
        "edu-diffusion-needs-nothing-like-this",
    )
    with pytest.raises(EduError, match="no network"):
        pip("pip", *arguments)
    told, log = capfd.readouterr().err, (tmp_path / "log").read_text(encoding="utf-8")
    assert "Retrying" in told and "Traceback" not in told
    assert "Retrying" in log and "Traceback" in log


# ---------------------------------------------------------------- the pinned set and the wheel


def pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def test_constraints_are_plain_pins():
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\d.]+(?:\.?(?:post|rc|a|b)\d+)?", line)] == []


def test_every_direct_requirement_is_pinned_within_its_range():
    pins = {canonicalize_name(name): version for name, version in pinned().items()}
    lists = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (Requirement(text) for texts in lists for text in texts):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement


def test_every_transitive_requirement_is_pinned():
    pins = {canonicalize_name(name) for name in pinned()}
    todo = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    seen = set()
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if name in seen or not wanted or re.match("nvidia-|cuda-|triton", name):
            continue
        seen.add(name)
        todo += metadata.requires(name) or []
    assert sorted(seen - pins) == []


def test_every_pin_installs_on_every_python_of_the_promise():
    """Debian's Python is 3.11.2; a pinned package that wanted 3.11.5 made the installation fail there."""
    for name in pinned():
        wanted = installed(name) and metadata.metadata(name).get("Requires-Python")
        for version in ("3.11.0", "3.12.0", "3.13.0"):
            assert not wanted or SpecifierSet(wanted).contains(version), f"{name} wants Python {wanted}"


def installed(name):
    """Return whether a pinned package is here in the pinned version; other systems' packages are not."""
    try:
        return metadata.version(name).split("+")[0] == pinned()[name]
    except metadata.PackageNotFoundError:
        return False


def test_one_version():
    assert PROJECT["version"] == __version__
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "-q",
            "-w",
            str(folder),
            str(ROOT),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_weights_data_and_lessons(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in ("datasets", "notebooks", "edu_diffusion/checkpoints"):
        files = [
            path
            for path in (ROOT / kind).rglob("*")
            if path.is_file()
            and "__pycache__" not in path.parts
            and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
        ]
        assert files, kind
        inside = {f"edu_diffusion/{path.relative_to(ROOT).as_posix().removeprefix('edu_diffusion/')}" for path in files}
        assert sorted(inside - names) == []
    assert "edu_diffusion/constraints.txt" in names
    assert not [name for name in names if name.startswith(("tests", "work", ".venv"))]


def test_the_wheel_works_outside_the_clone(wheel, tmp_path):
    site = tmp_path / "site é"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "edu_diffusion", "generate", "a cat face", "--steps", "2"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "picture.png").is_file()
    code = (
        "from edu_diffusion.cli import lessons; from edu_diffusion.install import environment; "
        "print(environment.clone_root(), lessons.source())"
    )
    ran = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == f"None {site / 'edu_diffusion' / 'notebooks'}"
