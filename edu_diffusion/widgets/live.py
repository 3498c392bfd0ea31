"""Watch a training run: a picture that is redrawn every few seconds until the end."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from IPython.display import display

from ..errors import said
from ..figures import Picture

__all__ = ["watch"]


def watch(training: Iterable[Any], draw: Callable[[list], Picture], every: float = 2.0) -> list:
    """Run a training to its end, and show its progress in this cell.

    training: a recipe, anything that yields Progress(step, loss, seconds, left, model). draw: a function of
    the list of all Progress so far that returns a Picture; it is called at most once in `every` seconds, and
    at the end, when the model has its final weights. Its time does not count against the recipe's deadline.
    Returns that list, also when the cell is interrupted after at least one step: then the model is as far as it came.
    """
    history = []
    handle = None
    shown = time.monotonic()
    try:
        for progress in training:
            history.append(progress)
            if time.monotonic() - shown >= every:
                handle, shown = show(draw(history), handle), time.monotonic()
    except KeyboardInterrupt:
        if not history:
            raise
        print(said("Stopped after {} steps; what has been learned so far is kept.", len(history)))
    finally:
        stop = getattr(training, "close", None)  # closing a recipe saves its state
        stop and stop()
    if history:  # else the training had no step at all: there is nothing to show
        show(draw(history), handle)
    return history


def show(picture, handle):
    """Show a picture in the cell, or replace the one that is there. Returns the display handle."""
    if handle is None:
        return display(picture, display_id=True)
    handle.update(picture)
    return handle
