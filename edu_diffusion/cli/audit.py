"""What a learner's answer may not do where it is judged: an audit hook of Python refuses it. Standard library only.

It may read what belongs to Python and to the installed packages, and write in its own empty folder. It starts no process, opens
no connection, and loads no compiled library. Python cannot take the hook away again. Compiled code that opens a file by itself,
such as torch.from_file, is not seen: this keeps an answer from accidents and easy tricks, and is no security boundary.
"""

import os
import sys
import sysconfig

from edu_diffusion.errors import said

REFUSED = (
    "subprocess.",
    "socket.",
    "ctypes.",
    "os.fork",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.system",
    "os.startfile",
    "os.kill",
    "pty.",
    "signal.pthread_kill",
    "gc.get_",
    "webbrowser.",
    "winreg.",
    "mmap.",
)
CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown")
MODULES = ("_posixsubprocess", "_ctypes", "ctypes", "multiprocessing", "_multiprocessing", "_socket")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def refuse(own: str, copy: str, hidden: str) -> None:
    """Refuse from now on, in this process, whatever an answer must not do; it then raises PermissionError.

    own: the folder in which it may write. copy: the folder with the package's copy. hidden: the folder of the package itself,
    which is not read even where it lies among the installed packages.
    """
    own, copy, hidden = (os.path.realpath(path) for path in (own, copy, hidden))
    readable = (own, copy, *libraries(hidden))
    seen: list[bool] = []  # a path is looked up by os.path.realpath, which must not ask the hook again

    def below(path, folders):
        return any(path == folder or path.startswith(folder + os.sep) for folder in folders)

    def allowed(path, writing):
        if path is None or not isinstance(path, str | bytes | os.PathLike):
            return False
        real = os.path.realpath(os.fsdecode(path))
        if real == os.path.realpath(os.devnull):
            return True
        return below(real, (own,)) if writing else below(real, readable) and not below(real, (hidden,))

    def hook(event, arguments):
        if seen:
            return
        seen.append(True)
        try:
            if event.startswith(REFUSED) or (event == "import" and str(arguments[0]).split(".")[0] in MODULES):
                raise PermissionError(said("an answer may not start a process, use the network or call compiled libraries"))
            if event == "open" and not allowed(arguments[0], writes(*arguments[1:3])):
                raise PermissionError(said("an answer may not read or write files"))
            if event in ("os.listdir", "os.scandir") and not allowed(arguments[0] or ".", False):
                raise PermissionError(said("an answer may not look into folders"))
            if event in CHANGING and not allowed(arguments[0], True):
                raise PermissionError(said("an answer may not change files"))
        finally:
            seen.clear()

    sys.addaudithook(hook)


def writes(mode, flags):
    """Whether a file is opened to be changed; mode is None for os.open."""
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return bool(isinstance(flags, int) and flags & WRITING)


def libraries(hidden):
    """Return the folders of Python and of the installed packages; not the one in which the package's own source is."""
    paths = [*map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib")), *sys.path]
    real = {os.path.realpath(path) for path in paths if path and os.path.isdir(path)}
    inside = {path for path in real if "site-packages" in path or "dist-packages" in path}
    return sorted(path for path in real if path in inside or not hidden.startswith(path + os.sep))
