"""A working environment is never lost: it is put aside while its successor is made, and put back if that fails or is cut off.

`.venv.old` is the one put aside, `.venv.gone-*` one that is being deleted. An environment works only where it was made, because
its scripts contain their path; so it is the old one that moves, not the new one. Every step is a single rename: whenever a process
is killed, settle() finds at the next start what has to be put back or swept away. Standard library only.
"""

import contextlib
import os
import shutil
from pathlib import Path

from edu_diffusion.errors import EduError
from edu_diffusion.install.pip import say

UNFINISHED = "unfinished"
LOGS = ("install.log", "torch.json")


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
    """Return the environments that a killed process put aside or was deleting."""
    return [path for path in (old(venv), *venv.parent.glob(f"{venv.name}.gone-*")) if path.exists()]


def settle(venv):
    """Put back what a killed process had put aside, or delete it if its successor was finished; delete what was being deleted.

    An environment that is not ours, made by hand in the meantime, stays, and so does what was put aside.
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
def put_aside(venv):
    """Move an environment away while the block makes its successor; put it back whatever stops the block.

    Yields the folder that it is in, which does not exist if there was none that we had finished.
    """
    if finished(venv):
        move(venv, old(venv))
    elif venv.exists():
        discard(venv)
    try:
        yield old(venv)
    except BaseException:
        if old(venv).exists():
            put_back(venv)
        raise
    discard(old(venv))


def put_back(venv):
    """Replace an unfinished environment by the old one, which keeps the log of what went wrong."""
    if (venv / LOGS[0]).is_file():
        shutil.copyfile(venv / LOGS[0], old(venv) / LOGS[0])
    gone = set_aside_for_deletion(venv)
    move(old(venv), venv)
    shutil.rmtree(gone, ignore_errors=True)


def discard(path):
    """Delete an environment. The rename comes first: half an environment must not look like a whole one."""
    shutil.rmtree(set_aside_for_deletion(path), ignore_errors=True)


def set_aside_for_deletion(path):
    gone = path.with_name(f"{path.name.removesuffix('.old')}.gone-{os.getpid()}")
    if path.exists():
        shutil.rmtree(gone, ignore_errors=True)
        move(path, gone)
    return gone


def move(path, target):
    try:
        os.replace(path, target)
    except OSError as error:
        raise EduError(f"{path} cannot be renamed to {target.name} ({error.strerror}), and nothing is deleted before that; close "
                       f"the programs that use it, make the folder writable, and start again") from error


def copy(venv, target):
    """Fill the new environment with the files of the old one: what has not changed need not be installed again."""
    own = {stamp_file(venv).name, *LOGS}
    shutil.copytree(venv, target, symlinks=True, dirs_exist_ok=True,
                    ignore=lambda folder, names: own if Path(folder) == venv else ())


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
