"""One run of the sampling loop, recorded and cached, so that later views do not run the U-Net again."""

import threading
from typing import NamedTuple

from ..figures import Picture
from ..steps import decode, generate
from .cache import version

__all__ = ["RUNNING", "Run", "Runs", "said", "small"]

# One run at a time, also for figure() in a cell: if one thread removes a hook while another is about to call
# it, torch calls it with the wrong arguments.
RUNNING = threading.RLock()


class Run(NamedTuple):
    """A finished run."""

    trace: object  # the recording
    levels: list  # the timestep t of each step
    image: object  # (3, H, W) in [-1, 1]
    later: dict  # results computed from it later


class Runs:
    """The last run for a prompt and a seed.

    recording: a function that returns a context manager, such as record's, whose trace is stored.
    A caller gets the Run for its own arguments, even if another thread requests a different one meanwhile.
    """

    def __init__(self, pipe, recording, steps, guidance):
        self.pipe = pipe
        self.recording = recording
        self.steps = steps
        self.guidance = guidance
        self._last = None, None

    def ask(self, prompt, seed):
        """Yield a message at each step; return the Run. The same arguments with the same weights run only once."""
        pipe, (asked, run) = self.pipe, self._last
        question = prompt, seed, version(pipe.text_encoder, pipe.unet, pipe.vae)
        if asked != question:
            run = Run(*(yield from self.within(self.recording(), prompt, seed)), {})
            self._last = question, run
        return run

    def within(self, context, prompt, seed):
        """Run the loop within a context; yield a message at each step; return the context's value, timesteps, picture."""
        levels = []
        with RUNNING, context as given:
            for state in generate(self.pipe, prompt, seed=seed, steps=self.steps, guidance=self.guidance):
                levels.append(state.t)
                yield f"Step {len(levels)} of {self.steps}"
        return given, levels, decode(self.pipe, state.z_s)[0].float().cpu()


def small(image, edge):
    """Reduce a picture (3, H, W) to at most `edge` pixels a side: each block of k x k pixels becomes its mean."""
    k = -(-max(image.shape[1:]) // edge)
    high, wide = (n // k * k for n in image.shape[1:])
    return image[:, :high, :wide].unflatten(2, (-1, k)).unflatten(1, (-1, k)).mean((2, 4))


def said(words, picture):
    """Return the same picture with words before its alt text."""
    return Picture(picture.png, f"{words} {picture.alt}")
