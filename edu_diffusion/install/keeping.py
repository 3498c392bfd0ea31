"""A working environment is never lost: a copy is kept while it is updated, and put back if that fails or is cut off.

`.venv.old` is what is kept, `.venv.gone-*` what is being copied or deleted. An environment works only where it was made, because
its scripts contain their path: it is changed in its place, and only a copy that replaces it moves there. Every step is a single
rename or a stamp: whenever a process is killed, settle() finds at the next start what has to be put back or swept away. Standard
library only.
"""

import contextlib
import os
import shutil
from pathlib import Path

from edu_diffusion.errors import EduError
from edu_diffusion.install.pip import say

UNFINISHED = "unfinished"
LOG = "install.log"


def stamp_file(venv):
    return Path(venv) / "edu_diffusion.stamp"


def stamp(venv):
    """Return the content of the stamp file: a fingerprint, UNFINISHED, or None where we never installed anything."""
    try:
        return stamp_file(venv).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None


def finished(venv):
    return stamp(venv) not in (None, UNFINISHED)


def old(venv):
    return venv.with_name(f"{venv.name}.old")


def leftovers(venv):
    """Return what a killed process had kept, or was copying or deleting."""
    return [path for path in (old(venv), *venv.parent.glob(f"{venv.name}.gone-*")) if path.exists()]


def settle(venv):
    """Put back what a killed process had kept, or delete it if the environment is finished; delete what was on its way.

    An environment that is not ours, made by hand in the meantime, stays, and so does what was kept.
    """
    if old(venv).exists() and finished(venv):
        discard(old(venv))
    elif old(venv).exists() and (stamp(venv) == UNFINISHED or not has_files(venv)):
        put_back(venv)
    for path in leftovers(venv):
        if path != old(venv):
            shutil.rmtree(path, ignore_errors=True)


def has_files(venv):
    return venv.exists() and any(venv.iterdir())


@contextlib.contextmanager
def kept(venv, usable):
    """Keep an environment while the block changes it, if it is `usable`, or else makes a new one; put it back whatever stops that.

    One that does not work is kept, too: perhaps it works tomorrow, when its Python is there again.
    """
    if usable:
        back_up(venv)
    elif finished(venv):
        move(venv, old(venv))
    elif venv.exists():
        discard(venv)
    try:
        yield
    except BaseException:
        if old(venv).exists():
            put_back(venv)
        raise
    discard(old(venv))


def back_up(venv):
    """Copy an environment, which stays in use meanwhile. Raises EduError where there is no room for that."""
    part = gone(venv)
    try:
        shutil.copytree(venv, part, symlinks=True)
        move(part, old(venv))
    except OSError as error:
        raise EduError(f"{venv} cannot be copied before it is updated ({first_of(error)}); free about 2 GB") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def first_of(error):
    """Return the text of an error; copying collects thousands of them."""
    many = error.args[0] if error.args and isinstance(error.args[0], list) else None
    return many[0][2] if many else error


def put_back(venv):
    """Replace an unfinished environment by the old one, which takes over the log of what went wrong."""
    if (venv / LOG).is_file():
        shutil.copyfile(venv / LOG, old(venv) / LOG)
    if venv.exists():
        move(venv, gone(venv))
    move(old(venv), venv)
    shutil.rmtree(gone(venv), ignore_errors=True)


def discard(path):
    """Delete an environment. The rename comes first: half an environment must not look like a whole one."""
    if path.exists():
        move(path, gone(path))
        shutil.rmtree(gone(path), ignore_errors=True)


def gone(path):
    """Return where this process puts what is to be deleted, or not yet complete."""
    return path.with_name(f"{path.name.removesuffix('.old')}.gone-{os.getpid()}")


def move(path, target):
    try:
        os.replace(path, target)
    except OSError as error:
        raise EduError(
            f"{path} cannot be renamed to {target.name} ({error.strerror}), and nothing is deleted before that; close "
            f"the programs that use it, make the folder writable, and start again"
        ) from error


# ---------------------------------------------------------------- one at a time


@contextlib.contextmanager
def alone(root):
    """Wait until no other process installs here. The lock is the folder's own: the system removes it even after a kill.

    Windows and some network drives have no such lock; there nothing waits.
    """
    folder = lock(root)
    try:
        yield
    finally:
        if folder is not None:
            os.close(folder)


def lock(root):
    """Return the locked folder as an open file, or None where there are no locks."""
    try:
        import fcntl

        folder = os.open(root, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("Another edu_diffusion is installing here; this one waits for it (Ctrl-C stops waiting).")
        fcntl.flock(folder, fcntl.LOCK_EX)
    except OSError:
        pass
    return folder
