"""A process of a learner kept apart from the rest of this computer, by bubblewrap on Linux. Standard library only.

It sees the packages, to be read, and one folder of its own: no other file, no other process, and no network, so that neither the
teacher's files, desktop and connection nor another learner can be reached. Flatpak uses the same program.
"""

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

HOME = "/home/learner"  # the learner's folder, as the process sees it
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/sys/devices/system/cpu")
SETTINGS = ("alternatives", "fonts", "group", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "nsswitch.conf")
APART = ("--unshare-all", "--die-with-parent", "--new-session", "--uid", "1000", "--gid", "1000", "--hostname", "seat")
OWN = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")


def confined(command, folder):
    """Return a command that runs `command` apart from everything but the packages and `folder`, where it starts."""
    shared = [word for path in readable() for word in ("--ro-bind-try", path, path)]
    graphics = [word for path in glob.glob("/dev/nvidia*") for word in ("--dev-bind-try", path, path)]
    own = ["--bind", str(Path(folder).resolve()), HOME, "--chdir", HOME]
    return ["bwrap", *APART, *shared, *OWN, *graphics, *own, "--", *command]


def readable():
    """Return the paths that are seen: the system's programs, this Python with its packages, and of ours no lesson and no answer.

    A folder comes before what lies in it, and a link is seen as what it leads to.
    """
    parts = [files.PACKAGE, files.folder("datasets")]
    pythons = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]
    settings = [f"/etc/{name}" for name in SETTINGS]
    return sorted({*SYSTEM, *settings, *map(str, parts), *map(os.path.abspath, pythons)})


def check():
    """Raise EduError where processes cannot be kept apart, with what to do."""
    if not sys.platform.startswith("linux"):
        raise EduError(
            "`lab --class` keeps learners apart by means that Linux alone has; on Windows, run it in WSL (Ubuntu), or give each "
            "learner an installation: kit"
        )
    if not shutil.which("bwrap"):
        raise EduError("`lab --class` needs the program bubblewrap; install it, with `sudo apt install bubblewrap` for instance")
    tried = subprocess.run(["bwrap", *APART, "--ro-bind", "/", "/", "true"], capture_output=True, text=True)
    if tried.returncode:
        raise EduError(
            f"bubblewrap cannot keep processes apart here ({tried.stderr.strip() or 'it gives no reason'}); on Ubuntu, from 24.04 "
            f"on, it needs the AppArmor profile bwrap-userns-restrict, which is in the package apparmor-profiles"
        )
