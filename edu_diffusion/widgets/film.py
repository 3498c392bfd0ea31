"""The film of one image: what the model gets at each step, and what it predicts; by a slider, or by Play."""

from collections.abc import Iterable, Sequence

from ..errors import said
from ..figures import Picture, row
from ..steps import decode
from ..steps.text_to_image import State
from .explore import Explore
from .hints import Pipeline
from .playback import Playback
from .slider import Slider

__all__ = ["Film"]

EDGE = 256  # pixels of a small model's picture on the page, at least


class Film(Explore):
    """One step of a run at a time: the noisy x_t, the x_0 predicted from it, and the final picture.

    A slider chooses the step, "Play" shows the steps one after the other, and "Pause" stops; nothing moves by itself. pipe: a
    StableDiffusionPipeline. states: all States of a run of `generate`, at least one. step: the one at the beginning, from 1.
    """

    def __init__(self, pipe: Pipeline, states: Iterable[State], step: int = 1) -> None:
        run = list(states)
        if not run:
            raise ValueError("states is empty; give all States of a run, such as list(ed.generate(pipe, prompt)).")
        slider = Slider(step, min=1, max=len(run), description=said("Step"), spoken=said("{value} of {max}"))
        self.playback = Playback(slider)
        super().__init__(lambda step: frame(pipe, run, step), step=slider)

    def _rows(self):
        """Return the rows: the slider with Play, the message, the picture."""
        bar, *rest = super()._rows()
        bar.children = [*bar.children, self.playback]
        return [bar, *rest]


def frame(pipe: Pipeline, states: Sequence[State], step: int) -> Picture:
    """Return one step of a run, counted from 1, as a Picture; its alt text measures how far x_0 is from the final picture."""
    state = states[step - 1]
    images = [decode(pipe, z)[0].float().cpu() for z in (state.z_t, state.z_0, states[-1].z_s)]
    _, clean, result = images
    alt = said(
        "Step {step} of {count}: left, the noisy x_t; in the middle, the x_0 that the model predicts from it; right, the final "
        "picture. Predicted x_0 and final picture differ by {apart:.2f} (root mean square); their contrasts (standard "
        "deviations) are {clean:.2f} and {result:.2f}.",
        step=step,
        count=len(states),
        apart=(clean - result).square().mean().sqrt().item(),
        clean=clean.std().item(),
        result=result.std().item(),
    )
    labels = [said("step {}: noisy x_t", step), said("predicted x_0"), said("final picture")]
    return row(images, labels, alt, scale=max(1, EDGE // result.shape[-1]))
