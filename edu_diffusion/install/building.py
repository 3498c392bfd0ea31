"""Build an environment and fill it with the pinned packages. Standard library only.

Every Python is started in UTF-8 mode, and the environment finds the clone by a path without its name (see by_relative_path): a
locale such as LC_ALL=C, or one that is not installed, cannot read accents, and Python then does not even start.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from edu_diffusion.errors import EduError
from edu_diffusion.install import keeping
from edu_diffusion.install.keeping import UNFINISHED, finished, stamp, stamp_file
from edu_diffusion.install.pip import SAFELY, Pip, say
from edu_diffusion.install.torch_build import install_torch, installed_torch

PIP = "pip==26.3"


def venv_python(venv, name=os.name):
    """Return the path of an environment's own Python."""
    return Path(venv) / ("Scripts/python.exe" if name == "nt" else "bin/python")


def python(venv):
    """Return the beginning of a command that starts an environment's Python."""
    return [str(venv_python(venv)), *SAFELY]


def works(venv):
    """Return whether the environment's Python starts: it does not after its base Python was removed."""
    by_relative_path(venv)
    try:
        return subprocess.run([*python(venv), "-c", ""], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def by_relative_path(venv):
    """Let the .pth file of the editable installation say ../../../.. for the clone, whose path may have accents."""
    for file in (file for lib in ("lib/python3*", "Lib") for file in venv.glob(f"{lib}/site-packages/*edu_diffusion*.pth")):
        line = os.path.relpath(venv.parent, file.parent).encode()
        with contextlib.suppress(OSError):  # where nothing can be written it may work nevertheless
            if file.read_bytes() != line:
                file.write_bytes(line)


def install(root, venv, usable, fingerprint):
    """Make a new environment, its stamp last, from a copy of the one that is there if that is `usable`.

    Whatever stops this, the one that was there is put back. Raises EduError with the remedy.
    """
    refuse_foreign(venv)
    what = "Updating" if finished(venv) else "First start: installing into"
    say(f"{what} {venv} (2 to 10 minutes, about 0.4 GB to download, 1.6 GB on disk).")
    with keeping.put_aside(venv) as old:
        make_venv(venv, old if usable else None)
        fill(root, venv)
        stamp_file(venv).write_text(fingerprint, encoding="utf-8")
    say("Installed.")


def refuse_foreign(venv):
    """Raise EduError for an environment that edu_diffusion did not create: its contents are not ours to change."""
    if keeping.has_files(venv) and stamp(venv) is None:
        raise EduError(
            f"{venv} is an environment that edu_diffusion did not create; move it away, or activate it and "
            f"install there with: pip install -c constraints.txt -e \".[test]\""
        )


def fill(root, venv):
    """Install the packages."""
    pip = Pip(venv_python(venv), root, venv / keeping.LOGS[0])
    pip("pip", "install", "--retries", "2", PIP)
    install_torch(root, pip)
    pip("the packages", "install", "-c", "constraints.txt", f"torch=={installed_torch(pip)}", "-e", ".[test]")
    by_relative_path(venv)


def make_venv(venv, old=None):
    """Make an environment with pip alone, or a copy of `old`. Raises EduError when that is not possible."""
    try:
        venv.mkdir(parents=True)
        stamp_file(venv).write_text(UNFINISHED, encoding="utf-8")
        if old is not None:
            return keeping.copy(old, venv)
        return build_venv(venv)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EduError(f"could not create the environment {venv} ({reason(error)}); check that the folder is writable and "
                       f"the disk is not full") from error


def build_venv(venv):
    """Build it by a Python of its own, in UTF-8 mode: venv writes paths into files."""
    from importlib.util import find_spec
    absent = [module for module in ("venv", "ensurepip") if find_spec(module) is None]
    if absent:
        raise EduError(
            f"this Python lacks the {' and '.join(absent)} module, which creates environments; on Debian and "
            f"Ubuntu: sudo apt install python3-venv; elsewhere: use the Python from python.org"
        )
    base = getattr(sys, "_base_executable", sys.executable)  # the environment that we may be in has just been put aside
    links = "--copies" if os.name == "nt" else "--symlinks"
    subprocess.run([base, *SAFELY, "-m", "venv", links, str(venv)], check=True, stdin=subprocess.DEVNULL, capture_output=True,
                   env=os.environ | {"PYTHONUTF8": "1"})  # it starts another Python itself


def reason(error):
    """Return what went wrong, in few words: copying collects hundreds of errors, of which the first is enough."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stdout + error.stderr).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"venv ended with {error.returncode}"
    many = error.args[0] if error.args and isinstance(error.args[0], list) else None
    return str(many[0][2] if many else error)
