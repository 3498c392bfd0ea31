"""Create `.venv` beside pyproject.toml, install the pinned packages, continue inside it. Standard library only.

The order of events on a fresh machine: `ensure` finds that packages are missing, building.py builds an environment, with
torch_build.py for the small CPU build where there is no NVIDIA card, and writes its stamp file last; `rerun` then repeats the same
command with the environment's Python. A stamp that says "unfinished" means that an installation was interrupted. An environment
that works is kept until its successor is finished, see keeping.py.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from edu_diffusion.errors import EduError
from edu_diffusion.install import building, keeping
from edu_diffusion.install.keeping import stamp
from edu_diffusion.install.pip import say

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
    "babel",
    "packaging",
    "psutil",
)
TEST_MODULES = ("pytest", "pytest_timeout", "xdist", "nbval", "nbformat")
PARTS = ("name", "version", "requires-python", "dependencies", "optional-dependencies", "scripts")
INSIDE = "EDU_DIFFUSION_INSIDE"
# For the processes that we start: a missing file must not mean minutes of retries, nor usage be reported, nor learners be
# greeted by notes on optional packages.
QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TRANSFORMERS_VERBOSITY": "error"}


# ---------------------------------------------------------------- paths


def clone_root():
    """Return the folder of the clone (or unpacked ZIP) that this runs from, or None for a wheel."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() and (root / "constraints.txt").is_file() else None


def home():
    """Return the folder for the user's files: the clone, or for a wheel the current folder."""
    return clone_root() or Path.cwd()


def missing(modules):
    """Return those top-level modules that this Python cannot find."""
    return [module for module in modules if importlib.util.find_spec(module) is None]


def fingerprint(root):
    """Return a hash of everything that determines what gets installed; it is the content of the stamp file.

    The settings of other tools in pyproject.toml do not, nor do words in its description.
    """
    import tomllib

    whole = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    ours = {name: whole.get("project", {}).get(name) for name in PARTS} | {"build": whole.get("build-system")}
    pins = (root / "constraints.txt").read_text(encoding="utf-8")
    return hashlib.sha256(json.dumps([ours, pins, building.PIP], sort_keys=True).encode()).hexdigest()


# ---------------------------------------------------------------- the decision


def ensure(arguments, test=False):
    """Return if this Python has every package; otherwise install them and rerun the command in the environment.

    `arguments`: the command line to repeat. `test`: whether the packages for tests are needed too.
    Raises EduError with the remedy where that is not possible.
    """
    wanted = MODULES + TEST_MODULES * test
    root = clone_root()
    if os.environ.pop(INSIDE, None) or root is None:  # the variable is for this process, not for a terminal in JupyterLab
        return refuse_missing(missing(wanted), root)
    venv = root / ".venv"
    tidy(root, venv)
    ours = Path(sys.prefix).resolve() == venv.resolve()
    if not missing(wanted) and not (ours and stamp(venv) != fingerprint(root)):
        return None
    if not ready(root, venv):
        renew(root, venv)
    return rerun(root, venv, arguments)


def tidy(root, venv):
    """Put right what a killed process has left, once no other process is at work there."""
    if keeping.leftovers(venv):
        with keeping.alone(root):
            keeping.settle(venv)


def ready(root, venv):
    return stamp(venv) == fingerprint(root) and building.works(venv)


def renew(root, venv):
    """Install, unless another process did so while this one waited. Where that fails, an environment that works goes on.

    Raises EduError when there is none to go on with.
    """
    with keeping.alone(root):
        keeping.settle(venv)
        if ready(root, venv):
            return
        usable = keeping.finished(venv) and building.works(venv)
        try:
            building.install(root, venv, usable, fingerprint(root))
        except EduError as error:
            if not usable:
                raise
            say(f"The update failed: {error}.\nGoing on with the packages from before; the next start tries again.")


def refuse_missing(names, root):
    """Raise EduError with the command that adds what is missing, in a clone or to an installed wheel."""
    what = f'-c "{root / "constraints.txt"}" -e "{root}[test]"' if root else '"edu-diffusion[test]"'
    if names:
        raise EduError(
            f'these packages are missing here: {", ".join(names)}; install them with: "{sys.executable}" -m pip install {what}'
        )


def rerun(root, venv, arguments):
    """Replace this process by the same command in the environment; on Windows, wait for a child process."""
    command = [*building.python(venv), "-m", "edu_diffusion", *arguments]
    environment = child_environment(root) | {INSIDE: "1"}
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def child_environment(root):
    """Return the environment for child processes: they find the package whatever characters its path contains.

    A "." among the user's own paths is what it is here, not the learner's folder, where the child may be started.
    """
    paths = [str(root)] * (root is not None) + os.environ.get("PYTHONPATH", "").split(os.pathsep)
    unique = list(dict.fromkeys(os.path.abspath(path) for path in paths if path))
    return {**QUIET, **os.environ, "PYTHONPATH": os.pathsep.join(unique), "PYTHONUTF8": "1"}
