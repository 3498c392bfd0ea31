"""Run a learner's function so that nothing it does harms the notebook, and every way to go wrong ends in a hint.

It may run for ever, call exit, raise anything, recurse, fill the memory, flood the screen or change a library (random
numbers: see exercise.judged). Only what ends Python from outside, such as os.kill or a crash in compiled code, cannot be caught.
"""

import builtins
import contextlib
import io
import os
import sys
import time
import types

import torch

from ..errors import said
from .explain import meaning
from .limits import TooLong, limited, noticing_ctrl_c, within_memory

LIMIT = 10.0  # seconds for all calls together
SHOWN = 2000  # characters of what it prints
ORDINARY = (torch.Tensor, torch.nn.Parameter)  # any other kind of tensor may answer as it likes


class Fault(Exception):
    """An answer that cannot be compared; its text is the hint."""


def results(mine, cases):
    """Return what a learner's function returns for each list of arguments. Raises Fault where it does not return."""
    if not callable(mine):
        raise Fault(said("this is {}, not a function; give its name without brackets.", article(mine)))
    with contextlib.ExitStack() as guards:
        for guard in (unchanged_libraries(), brief_output(), within_memory(), without_exit(mine)):
            guards.enter_context(guard)
        pressed = guards.enter_context(noticing_ctrl_c())
        end = time.monotonic() + LIMIT  # the learner's time: setting up the guards does not count
        return [called(mine, case, end, pressed) for case in cases]


def called(mine, given, end, pressed):
    """Return the result of one call. Raises Fault for whatever it raises, except the user's own Ctrl-C."""
    try:
        with torch.inference_mode(False), torch.enable_grad():  # as in training, whatever the cell around it switched off
            return limited(lambda: kept(mine(*given)), end)
    except TooLong as stopped:
        late = said("it did not finish within {:g} seconds; is there a loop that never ends?", LIMIT)
        raise Fault(f"{late}{stopped}") from None
    except BaseException as error:  # whatever it is, the learner must see it
        if pressed and isinstance(error, KeyboardInterrupt):
            raise
        raise Fault(explained(error, arguments(mine))) from error


def arguments(mine):
    """The names of a function's arguments, to compare with a name that is not defined."""
    code = code_of(mine)
    return code.co_varnames if code else ()


def code_of(mine):
    """The code of a function; None for any other thing that can be called."""
    code = asked(mine, "__code__")
    return code if isinstance(code, types.CodeType) else None


def asked(thing, name, otherwise=None):
    """An attribute of what may raise whatever it likes when it is asked for one."""
    try:
        return getattr(thing, name, otherwise)
    except Exception:
        return otherwise


def explained(error, names=()):
    """The hint for an exception: its first line, and what it means where it is a common one."""
    if isinstance(error, SystemExit):
        return said("it calls exit, which ends Python; a function ends with `return`.")
    if isinstance(error, RecursionError):
        return said("it calls itself without end; the formula needs no recursion.")
    if isinstance(error, MemoryError):
        return said("it needs more memory than there is; does something grow in a loop?")
    line, words = first_line(error), in_words(error, names)
    return said("it stopped with {}: {}", type(error).__name__, f"{line.rstrip('.')}." if words else line) + words


def in_words(error, names):
    """What a common exception means, after a space; nothing for another one, or for one whose text fails."""
    try:
        words = meaning(error, names)
    except Exception:
        return ""
    return said(" That means: {}", words) if words else ""


def first_line(error, longest=300):
    """The first line of an exception's text, which may be long, or fail itself."""
    try:
        line = (str(error).strip().splitlines() or [""])[0]
    except Exception:
        return said("(an error without words)")
    return line if len(line) <= longest else f"{line[:longest]}..."


def kept(result):
    """Return a result as it is now: the next call may write into the same tensor."""
    if type(result) in ORDINARY:
        return result.clone()
    if isinstance(result, types.CoroutineType):
        result.close()  # nobody will wait for it, and Python would complain
    return torch.as_tensor(result).clone() if type(result).__name__ == "ndarray" and result.dtype.kind in "biuf" else result


def article(thing):
    name = type(thing).__name__
    return said("an {}", name) if name.startswith(tuple("aeio")) else said("a {}", name)


# ---------------------------------------------------------------- what it must not do to the notebook


@contextlib.contextmanager
def without_exit(mine):
    """Let every exit raise SystemExit: a notebook's own `exit` ends the kernel, os._exit Python at once.

    The limit of recursion stays, too: beyond it Python itself crashes.
    """
    own, ends = asked(mine, "__globals__", {}), ("exit", "quit")
    places = [
        (vars(os), "_exit", leave),
        (vars(os), "abort", leave),
        (vars(sys), "setrecursionlimit", lambda limit: None),
        *((names, end, leave) for names in (vars(builtins), own) for end in ends),
    ]
    places = [p for p in places if not isinstance(p[0].get(p[1]), types.FunctionType | None)]  # not a function of the learner's own
    before = [names[name] for names, name, _ in places]
    try:
        for names, name, other in places:
            names[name] = other
        yield
    finally:
        for (names, name, _), value in zip(places, before):
            names[name] = value


def leave(*_):
    raise SystemExit


class Brief(io.TextIOBase):
    """A stream that passes on the first characters only."""

    def __init__(self, target):
        self.target, self.left = target, SHOWN

    def write(self, text):
        if self.left > 0:
            self.target.write(text[: self.left])
            self.left -= len(text)
            if self.left <= 0:
                self.target.write(said("\n... (the rest of what your function prints is left out)\n"))
        return len(text)

    def flush(self):
        self.target.flush()


@contextlib.contextmanager
def brief_output():
    """Show only the beginning of what is printed."""
    with contextlib.redirect_stdout(Brief(sys.stdout)), contextlib.redirect_stderr(Brief(sys.stderr)):
        yield


# ---------------------------------------------------------------- the libraries


def spaces():
    """What a check relies on: the libraries, and the steps of which the references are made."""
    ours = [module for name, module in sorted(sys.modules.items()) if name.startswith("edu_diffusion.steps")]
    return [torch, torch.Tensor, torch.nn.functional, torch.linalg, *ours]


@contextlib.contextmanager
def unchanged_libraries():
    """Undo what the function changes in a library, and raise Fault for it."""
    before, kind = [(space, dict(vars(space))) for space in spaces()], torch.get_default_dtype()
    try:
        yield
    finally:
        torch.set_default_dtype(kind)
        changed = [restored(space, name, names) for space, names in before for name in touched(space, names)]
    if changed:
        raise Fault(said("it replaces {}; leave the libraries as they are.", changed[0]))


def touched(space, names):
    """The public names of a module or class that mean something else than before, or hide an inherited one."""
    now, inherited = dict(vars(space)), dir(space.__base__) if isinstance(space, type) else ()
    gone = [name for name in names if now.get(name) is not names[name]]
    new = [name for name in now if name not in names and name in inherited]
    return [name for name in gone + new if not name.startswith("_")]


def restored(space, name, names):
    """Give a name its old meaning; return the name for the hint."""
    if name in names:
        setattr(space, name, names[name])
    else:
        delattr(space, name)
    return f"{space.__name__}.{name}"
