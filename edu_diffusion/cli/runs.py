"""A training run seen from a terminal: its progress, and its folder."""

import contextlib
import signal
import sys
import threading
import time

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

FORMAT = "{percentage:3.0f} %|{bar:20}|{desc}"


# ---------------------------------------------------------------- progress


def follow(reports, stream=None, every=10.0):
    """Run a training to its end, given as the generator of its Progress(step, loss, seconds, left, ...), and show each.

    In a terminal that is a progress bar, elsewhere a line every `every` seconds and one at the end. Returns the last Progress.
    """
    stream = stream or sys.stderr
    show = bar(stream) if stream.isatty() else lines(stream, every)
    last = None
    try:
        with contextlib.closing(reports), terminable():  # closing a recipe's generator saves its state
            for last in reports:
                show(last, done=False)
    finally:
        if last is not None:
            show(last, done=True)
    return last


@contextlib.contextmanager
def terminable():
    """Treat SIGTERM, by which a computer is shut down or a job ended, like Ctrl-C; only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def interrupted(number, frame):
    """A signal handler that does what Ctrl-C does."""
    raise KeyboardInterrupt


def bar(stream):
    """A function that shows a Progress as tqdm's bar, which adapts to the width of the terminal."""
    from tqdm import tqdm

    shown = tqdm(total=1.0, file=stream, bar_format=FORMAT, dynamic_ncols=True, mininterval=0.2)

    def show(progress, done):
        shown.set_description_str(text(progress), refresh=False)
        shown.update(part(progress) - shown.n)
        if done:
            shown.close()

    return show


def lines(stream, every):
    """A function that shows a Progress as a line of its own, at most every so many seconds and at the end."""
    shown = -float("inf")

    def show(progress, done):
        nonlocal shown
        if done or time.monotonic() - shown >= every:
            print(f"{part(progress):4.0%}{text(progress)}", file=stream, flush=True)
            shown = time.monotonic()

    return show


def part(progress):
    """The part of the training time that has passed, 0 to 1; 0 where the end is unknown."""
    known = progress.left is not None and progress.left < float("inf")
    whole = progress.seconds + progress.left if known else 0
    return progress.seconds / whole if whole else 0.0


def text(progress):
    """Step, loss, and time left if known."""
    loss = "" if progress.loss is None else f"  loss {progress.loss:.4f}"
    known = progress.left is not None and progress.left < float("inf")
    return f"  step {progress.step}{loss}" + (f"  {clock(progress.left)} left" if known else "")


def clock(seconds):
    """Return 3:05 for 185 seconds, 1:02:03 from one hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


# ---------------------------------------------------------------- the folder


def prepare(folder, resume, fresh):
    """Handle --resume and --fresh; without either, an earlier training run is resumed."""
    not_shipped(folder)
    begun = folder.is_dir() and any(folder.iterdir())
    if resume and not begun:
        raise EduError(f"there is no training run to resume in {folder}; leave out --resume to start one")
    if begun and fresh:
        print(f"The earlier training run is now in {set_aside(folder)}")
    elif begun:
        print(f"Resuming the training run in {folder} (--fresh starts over)")


def not_shipped(folder):
    """Raise EduError for a folder among the shipped checkpoints, which only the command release may replace."""
    if folder.resolve().is_relative_to((files.PACKAGE / "checkpoints").resolve()):
        raise EduError(
            f"{folder} is among the shipped checkpoints, which training never changes: name another folder with --out; "
            "only the command release replaces shipped checkpoints."
        )


def set_aside(folder):
    """Rename a folder by appending the first free number, and return the new path: no training run is ever deleted."""
    names = (folder.with_name(f"{folder.name}.{number}") for number in range(1, 100_000))
    free = next(name for name in names if not name.exists())
    return folder.rename(free)
