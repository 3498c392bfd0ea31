"""The verb `lab`: copy the lessons to the learner's folder and open them in JupyterLab. Standard library only."""

import os
import subprocess
import sys
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.install import environment as install

from . import lessons


def run(args, rest=()):
    """Replace this process by JupyterLab; options that we do not know go to it."""
    folder = lessons.source()
    if not args.teacher:
        folder, original = install.home() / "work", folder
        for sentence in lessons.copy(original, folder):
            print(sentence)
    run_instead(lab_command(folder, rest), folder)


def lab_command(folder, rest):
    """Return the command, to be run in `folder`, that opens JupyterLab on this machine only, without its news feed.

    The first lesson is the default address, so that the printed link opens it too (--no-browser).
    """
    quiet = ["--LabApp.news_url=None",
             "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"]
    first = ["--LabApp.default_url=/lab/tree/00_start.ipynb"] * (Path(folder) / "00_start.ipynb").is_file()
    return [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *quiet, *first, *rest]


def lab_environment():
    """Return JupyterLab's environment; jupyter/ answers its question about the news feed, which would cover a corner."""
    environment = install.child_environment(install.clone_root()) | {"JUPYTER_PREFER_ENV_PATH": "1"}
    paths = [str(files.PACKAGE / "jupyter"), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return environment | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def run_instead(command, folder):
    """Replace this process, so that Ctrl-C reaches the program itself; on Windows, wait for a child process instead."""
    environment = lab_environment()
    os.chdir(folder)
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)
