"""Show the progress of a training run: a progress bar in a terminal, elsewhere a plain line every ten seconds."""

import sys
import time


class Bar:
    """Call it with every Progress(step, loss, seconds, left, ...) that a recipe yields."""

    def __init__(self, stream=None, every=10.0):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.pause = 0.2 if self.live else every
        self.shown = -float("inf")
        self.last = None

    def __call__(self, progress):
        self.last = progress
        if time.monotonic() - self.shown >= self.pause:
            self.show()

    def show(self):
        self.shown = time.monotonic()
        text = line(self.last)
        self.stream.write("\r" + text[:99].ljust(99) if self.live else text + "\n")
        self.stream.flush()

    def close(self):
        """Show the final state and leave the cursor on a new line."""
        if self.last is not None:
            self.show()
            self.stream.write("\n" * self.live)


def line(progress):
    """Return one line: percentage of the time elapsed, step, loss, and time left if known."""
    known = progress.left is not None and progress.left < float("inf")
    whole = progress.seconds + progress.left if known else 0
    part = progress.seconds / whole if whole else 0.0
    blocks = round(20 * part)
    loss = "" if progress.loss is None else f"  loss {progress.loss:.4f}"
    left = f"  {clock(progress.left)} left" if known else ""
    return f"[{'#' * blocks}{'.' * (20 - blocks)}] {part:4.0%}  step {progress.step}{loss}{left}"


def clock(seconds):
    """Return 3:05 for 185 seconds, 1:02:03 from one hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
