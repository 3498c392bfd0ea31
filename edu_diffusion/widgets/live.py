"""Watch a training run: a picture that is redrawn every few seconds until the end."""

import time

from IPython.display import display

__all__ = ["watch"]


def watch(training, draw, every=2.0):
    """Run a training to its end, and show its progress in this cell.

    training: a recipe, anything that yields Progress(step, loss, seconds, left, model). draw: a function of
    the list of all Progress so far that returns a Picture; it is called at most once in `every` seconds, and
    at the end, when the model has its final weights. Its time does not count against the recipe's deadline.
    Returns that list.
    """
    history = []
    handle = None
    shown = time.monotonic()
    for progress in training:
        history.append(progress)
        if time.monotonic() - shown >= every:
            handle, shown = show(draw(history), handle), time.monotonic()
    if history:  # else the run had already ended: there is nothing to show
        show(draw(history), handle)
    return history


def show(picture, handle):
    """Show a picture in the cell, or replace the one that is there. Returns the display handle."""
    if handle is None:
        return display(picture, display_id=True)
    handle.update(picture)
    return handle
