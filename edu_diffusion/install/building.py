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
from edu_diffusion.install import keeping, kit
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
    """Update the environment if it is `usable`, otherwise make a new one; its stamp comes last.

    Whatever stops this, what was there is put back. Raises EduError with the remedy.
    """
    refuse_foreign(venv)
    what = "Updating" if finished(venv) else "First start: installing into"
    say(f"{what} {venv} (2 to 10 minutes, {kit.source(root)}, 1.8 GB on disk).")
    with keeping.kept(venv, usable):
        if usable:
            stamp_file(venv).write_text(UNFINISHED, encoding="utf-8")
        else:
            make_venv(venv)
        fill(root, venv)
        stamp_file(venv).write_text(fingerprint, encoding="utf-8")
    say("Installed.")


def refuse_foreign(venv):
    """Raise EduError for an environment that edu_diffusion did not create: its contents are not ours to change."""
    if keeping.has_files(venv) and stamp(venv) is None:
        raise EduError(
            f"{venv} is an environment that edu_diffusion did not create; move it away, or activate it and "
            f'install there with: pip install -c constraints.txt -e ".[test]"'
        )


def fill(root, venv):
    """Install the packages, from a kit where there is one; that has none for tests."""
    source = kit.found(root)
    pip = Pip(venv_python(venv), root, venv / keeping.LOG, kit.settings(source))
    pip("pip", "install", "--retries", "2", PIP)
    install_torch(root, pip)
    pip("the packages", "install", "-c", "constraints.txt", f"torch=={installed_torch(pip)}", "-e", "." if source else ".[test]")
    by_relative_path(venv)


def make_venv(venv):
    """Make an environment with pip alone. Raises EduError when that is not possible."""
    try:
        venv.mkdir(parents=True)
        stamp_file(venv).write_text(UNFINISHED, encoding="utf-8")
        build_venv(venv)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EduError(
            f"could not create the environment {venv} ({reason(error)}); check that the folder is writable and the disk is not full"
        ) from error


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
    subprocess.run(
        [base, *SAFELY, "-m", "venv", links, str(venv)],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=os.environ | {"PYTHONUTF8": "1"},
    )  # it starts another Python itself


def reason(error):
    """Return what went wrong, in few words."""
    if isinstance(error, OSError):
        return error
    lines = (error.stdout + error.stderr).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"venv ended with {error.returncode}"
