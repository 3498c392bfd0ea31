"""One run of the sampling loop, recorded and cached, so that later views do not run the U-Net again."""

import threading
from typing import NamedTuple

from ..steps import decode, generate
from .cache import Cache, networks
from .progress import all_states

__all__ = ["RUNNING", "Run", "Runs"]

# One run at a time, also for figure() in a cell: if one thread removes a hook while another is about to call
# it, torch calls it with the wrong arguments.
RUNNING = threading.RLock()


class Run(NamedTuple):
    """A finished run."""

    trace: object  # the recording
    timesteps: list  # the timestep t of each step
    image: object  # (3, H, W) in [-1, 1]


class Runs:
    """Recorded runs of a pipeline; the last one is stored, because a trace is large.

    recording: a function that returns a context manager, such as record's, whose trace is stored.
    """

    def __init__(self, pipe, recording, steps, guidance):
        self.pipe = pipe
        self.recording = recording
        self.steps = steps
        self.guidance = guidance
        self._last = Cache(1)

    def ask(self, prompt, seed):
        """A generator that yields a message at each step and returns the Run; see Cache.ask."""
        return self._last.ask((prompt, seed), lambda: self.within(self.recording(), prompt, seed), *networks(self.pipe))

    def within(self, context, prompt, seed):
        """A generator that runs the loop within a context; it yields a message at each step and returns the Run."""
        with RUNNING, context as trace:
            loop = generate(self.pipe, prompt, seed=seed, steps=self.steps, guidance=self.guidance)
            states = yield from all_states(loop, self.steps)
        image = decode(self.pipe, states[-1].z_s)[0].float().cpu()
        return Run(trace, [state.t for state in states], image)
