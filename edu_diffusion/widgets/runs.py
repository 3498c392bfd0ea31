"""One run of the sampling loop, recorded and kept: what is asked about it later runs no U-Net again."""

import threading
from typing import NamedTuple

from ..figures import Picture
from ..steps import decode, generate
from .kept import version

__all__ = ["RUNNING", "Run", "Runs", "said", "small"]

# One run at a time, also for figure() in a cell: a hook that one thread removes while another is about to call
# it is called by torch with the wrong arguments.
RUNNING = threading.RLock()


class Run(NamedTuple):
    """A finished run."""

    trace: object  # what was recorded
    levels: list  # t, step by step
    image: object  # (3, H, W) in [-1, 1]
    later: dict  # what was computed from it since


class Runs:
    """The last run for a prompt and a seed.

    recording: a function that returns a context manager, such as record's, whose trace is kept.
    Who asks gets a Run of his own question, also when another thread asks for another one meanwhile.
    """

    def __init__(self, pipe, recording, steps, guidance):
        self.pipe, self.recording, self.steps, self.guidance = pipe, recording, steps, guidance
        self._last = None, None

    def ask(self, prompt, seed):
        """Yield a sentence at each step; return the Run. The same question to the same weights runs once."""
        pipe, (asked, run) = self.pipe, self._last
        question = prompt, seed, version(pipe.text_encoder, pipe.unet, pipe.vae)
        if asked != question:
            run = Run(*(yield from self.within(self.recording(), prompt, seed)), {})
            self._last = question, run
        return run

    def within(self, context, prompt, seed):
        """Run the loop within a context; yields a sentence at each step, returns what it gave, levels, picture."""
        levels = []
        with RUNNING, context as given:
            for state in generate(self.pipe, prompt, seed=seed, steps=self.steps, guidance=self.guidance):
                levels.append(state.t)
                yield f"Step {len(levels)} of {self.steps}"
        return given, levels, decode(self.pipe, state.z_s)[0].float().cpu()


def small(image, edge):
    """A picture (3, H, W) whose sides are at most `edge`: in a larger one k x k pixels become their mean."""
    k = -(-max(image.shape[1:]) // edge)
    high, wide = (n // k * k for n in image.shape[1:])
    return image[:, :high, :wide].unflatten(2, (-1, k)).unflatten(1, (-1, k)).mean((2, 4))


def said(words, picture):
    """The same picture, with words before its description."""
    return Picture(picture.png, f"{words} {picture.alt}")
