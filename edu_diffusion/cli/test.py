"""The verb `test`: run the tests of a clone, and its lessons as tests. Standard library only.

In the lessons every training ends after SECONDS, so that all of them take minutes. `test --full` lets them train as long as a
learner would, and runs every lesson also as an untouched copy; it takes about an hour.
"""

import os
import subprocess
import sys

from edu_diffusion.errors import EduError
from edu_diffusion.install import environment as install

SECONDS = "5"  # of each training in a lesson
FULL = "--full"
COPIES = "tests/test_untouched.py"


def run(args, rest=()):
    """Run the tests, then the lessons; return the worse exit code ("no tests" only if both say so)."""
    root = install.clone_root()
    if root is None or not (root / "tests").is_dir():
        raise EduError("the tests are in the repository, not in the installed package; clone it and run the tests there")
    full, rest = FULL in rest, [word for word in rest if word != FULL]
    common = test_environment(root)
    codes = [
        subprocess.call(command, cwd=root, env=common | threads(command) | length(command, full), stdin=subprocess.DEVNULL)
        for command in test_commands(root, rest, full)
    ]
    return max((code if code >= 0 else 128 - code for code in codes if code != 5), default=5)  # below 0: killed by a signal


def test_commands(root, rest, full=False):
    """Return the pytest commands: all tests and all lessons, or just the paths named in `rest`.

    full: the untouched copies, which then take longer than all other tests, are shared among the worker processes one by one.
    """
    pytest = [sys.executable, "-m", "pytest"]
    lessons = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=300", "--nbval-kernel-startup-timeout=120"]
    if any(not word.startswith("-") and (root / word.split("::")[0]).exists() for word in rest):
        return [pytest + lessons + rest]
    english = ["--ignore-glob=notebooks/*/*"]  # a translated lesson has the same code, see tests/test_languages.py
    notebooks = (
        [pytest + parallel() + lessons + english + ["notebooks"] + rest] if any((root / "notebooks").glob("*.ipynb")) else []
    )
    if not full:
        return [pytest + parallel() + ["tests"] + rest, *notebooks]
    copies = pytest + parallel("load", "--maxschedchunk=1") + [COPIES] + rest
    return [pytest + parallel() + ["tests", f"--ignore={COPIES}"] + rest, copies, *notebooks]


def parallel(*how):
    """Return the options for one worker process per core, up to four; a file's tests stay together, and share what they make."""
    workers = min(os.cpu_count() or 1, 4)
    return ["-n", str(workers), "--dist", *(how or ("loadfile", "--no-loadscope-reorder"))] if workers > 1 else []


def threads(command):
    """Return the environment for worker processes: one thread each, since each has a core of its own."""
    return {"OMP_NUM_THREADS": "1"} if "-n" in command else {}


def length(command, full):
    """Return the environment that bounds every training in the lessons, or asks for all copies to be run, trained in full."""
    if full:
        return {"EDU_DIFFUSION_FULL": "1"}
    return {"EDU_DIFFUSION_SECONDS": SECONDS} if any("notebooks" in word for word in command) else {}


def test_environment(root):
    """Return the environment for tests: Python itself, in kernels too, refuses any connection to another machine."""
    environment = install.child_environment(root)
    blocked = str(root / "tests" / "offline")
    return environment | {
        "PYTHONPATH": os.pathsep.join([blocked, environment["PYTHONPATH"]]),
        "HF_HUB_OFFLINE": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLBACKEND": "agg",
    }
