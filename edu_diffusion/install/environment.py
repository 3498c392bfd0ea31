"""Create `.venv` beside pyproject.toml, install the pinned packages, continue inside it. Standard library only.

The order of events on a fresh machine: `ensure` finds that packages are missing, `make_venv` builds an empty
environment, `install_torch` picks the small CPU build where there is no NVIDIA card, `install` adds the
pinned packages and writes a stamp file last, and `rerun` repeats the same command with the environment's Python.
A stamp that says "unfinished" means that an installation was interrupted: the environment is then recreated.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from edu_diffusion.errors import EduError
from edu_diffusion.install.pip import Pip, say
from edu_diffusion.install.torch_build import install_torch, installed_torch

MODULES = (
    "torch",
    "diffusers",
    "transformers",
    "peft",
    "accelerate",
    "safetensors",
    "tokenizers",
    "numpy",
    "PIL",
    "matplotlib",
    "ipykernel",
    "ipywidgets",
    "anywidget",
    "jupyterlab",
    "packaging",
    "psutil",
)
TEST_MODULES = ("pytest", "pytest_timeout", "nbval", "nbformat")
PIP = "pip==26.3"
INSIDE = "EDU_DIFFUSION_INSIDE"
# For the processes that we start: a missing file must not mean minutes of retries, nor usage be reported, nor learners be
# greeted by notes on optional packages.
QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRANSFORMERS_VERBOSITY": "error"}
UNFINISHED = "unfinished"


# ---------------------------------------------------------------- paths

def clone_root():
    """Return the folder of the clone (or unpacked ZIP) that this runs from, or None for a wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "constraints.txt").is_file() else None


def home():
    """Return the folder for the user's files: the clone, or for a wheel the current folder."""
    return clone_root() or Path.cwd()


def venv_python(venv, name=os.name):
    """Return the path of an environment's own Python."""
    return Path(venv) / ("Scripts/python.exe" if name == "nt" else "bin/python")


def missing(modules):
    """Return those top-level modules that this Python cannot find."""
    return [module for module in modules if importlib.util.find_spec(module) is None]


def fingerprint(root):
    """Return a hash of everything that determines what gets installed; it is the content of the stamp file."""
    files = [root / "constraints.txt", root / "pyproject.toml"]
    content = b"".join(file.read_bytes().replace(b"\r\n", b"\n") for file in files)
    return hashlib.sha256(content + PIP.encode()).hexdigest()


def stamp_file(venv):
    return Path(venv) / "edu_diffusion.stamp"


def stamp(venv):
    """Return the content of the stamp file: a fingerprint, UNFINISHED, or None where we never installed anything."""
    try:
        return stamp_file(venv).read_text(encoding="utf-8").strip()
    except OSError:
        return None


# ---------------------------------------------------------------- the decision

def ensure(arguments, test=False):
    """Return if this Python has every package; otherwise install them and rerun the command in the environment.

    `arguments`: the command line to repeat. `test`: whether the packages for tests are needed too.
    Raises EduError with the remedy where that is not possible.
    """
    wanted = MODULES + TEST_MODULES * test
    root = clone_root()
    if (
        os.environ.pop(INSIDE, None) or root is None
    ):  # the variable is for this process, not for a terminal in JupyterLab
        return refuse_missing(missing(wanted))
    venv = root / ".venv"
    ours = Path(sys.prefix).resolve() == venv.resolve()
    if not missing(wanted) and not (ours and stamp(venv) != fingerprint(root)):
        return None
    if stamp(venv) != fingerprint(root) or not works(venv):
        install(root, venv)
    return rerun(root, venv, arguments)


def refuse_missing(names):
    if names:
        raise EduError(f"these packages are missing here: {', '.join(names)}; "
                       f"install them with: \"{sys.executable}\" -m pip install \"edu-diffusion[test]\"")


def works(venv):
    """Return whether the environment's Python starts: it does not after its base Python was removed."""
    try:
        return subprocess.run([venv_python(venv), "-c", ""], capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def rerun(root, venv, arguments):
    """Replace this process by the same command in the environment; on Windows, wait for a child process."""
    command = [str(venv_python(venv)), "-m", "edu_diffusion", *arguments]
    environment = child_environment(root) | {INSIDE: "1"}
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def child_environment(root):
    """Return the environment for child processes: they find the package whatever characters its path contains.

    The editable install writes the path into a .pth file, which an older Python on Windows decodes wrongly
    when it has accents; PYTHONPATH does not have this problem.
    """
    paths = [str(root)] * (root is not None) + os.environ.get("PYTHONPATH", "").split(os.pathsep)
    unique = list(dict.fromkeys(path for path in paths if path))
    return {**QUIET, **os.environ, "PYTHONPATH": os.pathsep.join(unique), "PYTHONUTF8": "1"}


# ---------------------------------------------------------------- the installation

def install(root, venv):
    """Create or complete the environment; its stamp says "unfinished" until the last step is done."""
    what = "Updating" if stamp(venv) not in (None, UNFINISHED) else "First start: installing into"
    say(f"{what} {venv} (2 to 10 minutes, about 0.4 GB to download, 1.6 GB on disk).")
    make_venv(venv)
    stamp_file(venv).write_text(UNFINISHED, encoding="utf-8")
    pip = Pip(venv_python(venv), root, venv / "install.log")
    pip("pip", "install", "--retries", "2", PIP)
    install_torch(root, pip)
    pip("the packages", "install", "-c", "constraints.txt", f"torch=={installed_torch(pip)}", "-e", ".[test]")
    stamp_file(venv).write_text(fingerprint(root), encoding="utf-8")
    say("Installed.")


def make_venv(venv):
    """Create an empty environment, unless one that we finished earlier exists and works.

    Raises EduError for an environment that edu_diffusion did not create: its contents are not ours to change.
    """
    if venv.exists() and stamp(venv) is None:
        raise EduError(
            f"{venv} is an environment that edu_diffusion did not create; move it away, or activate it and "
            f"install there with: pip install -c constraints.txt -e \".[test]\""
        )
    if stamp(venv) not in (None, UNFINISHED) and works(venv):
        return
    absent = missing(("venv", "ensurepip"))
    if absent:
        raise EduError(
            f"this Python lacks the {' and '.join(absent)} module, which creates environments; on Debian and "
            f"Ubuntu: sudo apt install python3-venv; elsewhere: use the Python from python.org"
        )
    try:
        build_venv(venv)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EduError(
            f"could not create the environment {venv} ({error}); check that the folder is writable and "
            f"the disk is not full"
        ) from error


def build_venv(venv):
    """Start from an empty folder; the stamp comes first, so that an interrupted build is recognised as ours."""
    import venv as maker
    shutil.rmtree(venv, ignore_errors=True)
    venv.mkdir()
    stamp_file(venv).write_text(UNFINISHED, encoding="utf-8")
    maker.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(venv)
