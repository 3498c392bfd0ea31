"""The verb `lab`: copy the lessons to the learner's folder and open them in JupyterLab. Standard library only."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from edu_diffusion.data import files, school
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment as install
from edu_diffusion.install.pip import SAFELY

from . import languages, lessons, projector

FIRST = "00_start.ipynb"


def run(args, rest=()):
    """Replace this process by JupyterLab; options that we do not know go to it."""
    school.switch(getattr(args, "school", False))
    folder = lessons.source()
    if not args.teacher:
        folder, original = install.home() / "work", folder
        for sentence in filter(None, [*lessons.copy(original, folder), languages.told(original)]):
            print(sentence)
    for name in shadows(folder):
        print(f"{name} has the name of a library: `import {Path(name).stem}` means the library; rename yours to import it.")
    if getattr(args, "projector", False):
        os.environ.update(projector.variables(install.home() / "work"))
        rest = [*projector.options(), *rest]
    run_instead(lab_command(folder, rest), folder)


def shadows(folder):
    """Return a learner's own modules that have the name of a library, such as random.py."""
    modules = [path for path in Path(folder).glob("*") if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return sorted(path.name for path in modules if is_library(path.stem, folder))


def is_library(name, folder):
    if not name.isidentifier():
        return False
    found = name in sys.stdlib_module_names or importlib.util.find_spec(name)
    return found is True or bool(found and found.origin and Path(folder) not in Path(found.origin).parents)


# ---------------------------------------------------------------- the command


def lab_command(folder, rest):
    """Return the command, to be run in `folder`, that opens JupyterLab on this machine only, without its news feed.

    What the user's options say replaces our own: Jupyter refuses an option that is given twice.
    """
    own = [option for option in options(folder) if named(option) not in set(map(named, rest))]
    return [sys.executable, "-m", "jupyterlab", *own, *rest]


def options(folder):
    """Return our options. The first lesson is the default address, so that the printed link opens it too (--no-browser).

    Only the lessons' kernel is offered: the Python of another one does not have the packages.
    """
    first = [f"--LabApp.default_url=/lab/tree/{FIRST}"] * (Path(folder) / FIRST).is_file()
    return [
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "--KernelSpecManager.allowed_kernelspecs=python3",
        *first,
    ]


def named(option):
    """Return the bare name of an option: "ip" for --ip=0.0.0.0 and for --ServerApp.ip=0.0.0.0; "" for other words."""
    name = option[2:].partition("=")[0] if option.startswith("--") else ""
    return name.rpartition(".")[2].replace("-", "_")


def lab_environment():
    """Return JupyterLab's environment; jupyter/ holds the lessons' kernel, and answers a question that would cover a corner."""
    own, names = str(files.PACKAGE / "jupyter"), ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
    paths = {name: os.pathsep.join([own, *filter(None, [os.environ.get(name)])]) for name in names}
    return install.child_environment(install.clone_root()) | {"JUPYTER_PREFER_ENV_PATH": "1"} | paths


def run_instead(command, folder):
    """Replace this process, so that Ctrl-C reaches the program itself; on Windows, wait for a child process instead."""
    command, environment = safely(command), lab_environment()
    try:
        os.chdir(folder)
    except OSError as error:
        raise EduError(
            f"the folder {folder} cannot be opened ({error.strerror}); make it readable, or move it away and start again"
        ) from error
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def safely(command):
    """Return lab_command's command with a token for certain, see server.py, and not stopped by a learner's random.py."""
    python, _, _, *rest = command
    return [python, *SAFELY, "-m", "edu_diffusion.cli.server", *rest]
