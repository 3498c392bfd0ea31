"""What every recipe has around its loop: a run folder that one process uses, resumed with the settings it was started with."""

import contextlib
import functools
import inspect
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

from ..data import files
from ..errors import EduError

Recipe = TypeVar("Recipe", bound=Callable)
SETTINGS = "settings.json"
LOCK = ".in-use"
FREE = ("minutes", "steps", "run", "device", "rank", "together", "curve")  # may be others when a run is resumed


def recipe(function: Recipe) -> Recipe:
    """Guard a recipe, a generator function with the argument run=.

    In its run folder nobody else trains at the same time, a state with other settings is refused, and so is a folder "model"
    that is not ours, before any time is spent on training.
    """
    name = function.__name__.removeprefix("train_")

    @functools.wraps(function)
    def guarded(*args, **given):
        settings = inspect.signature(function).bind(*args, **given)
        settings.apply_defaults()
        run = settings.arguments["run"]
        if run is None or settings.arguments.get("rank"):  # of several processes only the first one writes
            yield from function(*args, **given)
            return
        run = pathlib.Path(run)
        with claimed(run):
            files.bring_back(run / "model")
            files.refuse_foreign(run / "model")
            same_settings(run, {"recipe": name} | described(settings.arguments))
            yield from function(*args, **given)

    return cast(Recipe, guarded)


def described(settings):
    """Settings as JSON can store them; a function by its name."""
    return {
        name: value if isinstance(value, (int, float, str, type(None))) else plain(value)
        for name, value in settings.items()
        if name not in FREE
    }


def plain(value):
    """A value that is not a number or a text: a path as text, a function as its name, anything else as its type."""
    if isinstance(value, (os.PathLike, list, tuple)):
        return str(value)
    value = getattr(value, "func", value)  # of a functools.partial
    return getattr(value, "__qualname__", type(value).__name__)


def same_settings(run, settings):
    """Store the settings of a new run. Raises EduError when the run in the folder was started with others."""
    from .state import started_in

    stored = files.read_json(run / SETTINGS)
    if started_in(run) is None or not stored:
        return files.write_json(run / SETTINGS, settings)
    other = [name for name in settings if stored.get(name, settings[name]) != settings[name]]
    if other:
        was, now = (", ".join(f"{name}={values[name]!r}" for name in other) for values in (stored, settings))
        raise EduError(
            f"The training run in {run} was started with {was}, and cannot go on with {now}: start over with --fresh, "
            "or name another folder."
        )


@contextlib.contextmanager
def claimed(run: str | os.PathLike) -> Iterator[None]:
    """Use a run folder alone. Raises EduError while another process uses it; the lock of a killed process counts for nothing."""
    pathlib.Path(run).mkdir(parents=True, exist_ok=True)
    with open(pathlib.Path(run) / LOCK, "a+b") as file:
        try:
            lock(file)
        except OSError:
            raise EduError(f"Another training uses {run} at this moment: wait for its end, or name another folder.") from None
        yield


def lock(file):
    """Lock an open file until it is closed, or the process ends. Raises OSError when another one has it."""
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
