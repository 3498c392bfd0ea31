"""Guidance: the predictions without the prompt and with it, and how guidance combines the two."""

from collections.abc import Sequence
from typing import Any

from traitlets import dlink

from ..figures import Picture
from ..figures import guidance as figure
from ..steps import GUIDANCE, STEPS, guidance_at, guide, to_eps, to_x0
from ..steps.sdxl import is_xl
from ..steps.text_to_image import State, conditioned, level, predict
from .cache import Cache, networks
from .cached_runs import CachedRuns, StandIn
from .controls import dragged, seeds, whole, words
from .explore import Explore
from .hints import Drawing, Messages, Pipeline, Tensor
from .messages import cut

__all__ = ["GuidanceExplorer"]

BOTH = 0.0  # with any scale but 1 `predict` computes both predictions


class GuidanceExplorer(Explore):
    """Both predictions, their difference and the guided one at a step, for a scale and an interval of timesteps.

    pipe: a StableDiffusionPipeline. The other arguments are the controls' initial values; low, high: the timesteps
    with guidance, None being the last. At a step without guidance the run evaluates the U-Net for the
    prompt only; to show both predictions there, both are computed.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        negative: str = "",
        seed: int = 0,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        step: int = 5,
        low: int = 0,
        high: int | None = None,
    ) -> None:
        last = pipe.scheduler.config.num_train_timesteps - 1
        self.runs = CachedRuns(pipe)
        self._prepared = Cache(1)
        self._all = 0, last
        super().__init__(
            self.predictions,
            prompt=words(prompt, "Prompt"),
            negative=words(negative, "Negative prompt"),
            seed=seeds(seed),
            steps=whole(steps, 1, 100, "Steps"),
            step=dragged(step, 1, steps, "Step"),
            guidance=dragged(guidance, 0, 30, "Guidance", 0.5),
            low=dragged(low, 0, last, "From timestep t"),
            high=dragged(last if high is None else high, 0, last, "to timestep t"),
        )
        dlink((self.controls["steps"], "value"), (self.controls["step"], "max"))

    def predictions(self, prompt: str, negative: str, step: int, low: int, high: int, **settings: Any) -> Drawing:
        """Yield progress messages, then both predictions as a Picture; then decode what the slider will need."""
        interval = None if (low, high) == self._all else (low, high)
        settings |= {"negative": negative, "interval": interval}
        states = yield from self.runs.run(prompt, **settings)
        scales = [guidance_at(state.t, settings["guidance"], interval) for state in states]
        asked = self.asked(negative, prompt, states[0].z_t)
        yield self.picture_at(min(step, len(states)) - 1, asked, states, scales, settings["guidance"], interval)
        note = cut(self.runs.pipe.tokenizer, prompt)
        yield note
        question = prompt, *settings.values()
        yield from self._prepared.ask(question, lambda: self.prepare(asked, states, scales, note), *networks(self.runs.pipe))

    def asked(self, negative: str, prompt: str, z_t: Tensor) -> tuple[Pipeline, Tensor]:
        """Return the pipeline with its U-Net's outputs cached, and the text embeddings for `both`."""
        view = self.runs.view()
        if not is_xl(view.unet):
            return view, self.runs.embed(negative, prompt)
        c, unet = conditioned(view, view.unet, [negative], [prompt], BOTH, z_t)
        return StandIn(view, unet=unet), c

    def picture_at(
        self,
        i: int,
        asked: tuple[Pipeline, Tensor],
        states: Sequence[State],
        scales: Sequence[float],
        guidance: float,
        interval: tuple[int, int] | None,
    ) -> Picture:
        """Return the Picture of step i."""
        eps, z_0 = both(*asked, states[i], scales[i])
        *clean, result = self.runs.pictures(*z_0, states[-1].z_s)
        gaps = [spread(state, g) for state, g in zip(states, scales)]
        timesteps = [state.t for state in states]
        eps_u, eps_c, guided = (e[0] for e in eps)
        return figure(eps_u, eps_c, guided, clean, result, gaps, timesteps, i, guidance, interval)

    def prepare(
        self, asked: tuple[Pipeline, Tensor], states: Sequence[State], scales: Sequence[float], note: str
    ) -> Messages[bool]:
        """Decode the predictions of all steps with guidance; yield the note after each, so that this can be stopped."""
        guided = [(state, g) for state, g in zip(states, scales) if g != 1]
        for _ in self.runs.prepared(z for state, g in guided for z in both(*asked, state, g)[1]):
            yield note
        return True


def both(pipe, c, state, g):
    """Return eps and predicted z_0 without the prompt, with it, and guided: two lists of three (1, C, h, w)."""
    out_u, out_c = predict(pipe.unet, state.z_t, state.t, c, BOTH)
    outs, kind = (out_u, out_c, guide(out_u, out_c, g)), pipe.scheduler.config.prediction_type
    known = state.z_t, level(pipe, state.t), kind
    return [to_eps(out, *known) for out in outs], [to_x0(out, *known) for out in outs]


def spread(state, g):
    """Return the root mean square of eps_c - eps_u; nan where the U-Net was run for the prompt only."""
    return float("nan") if g == 1 else (state.eps_c - state.eps_u).float().square().mean().sqrt().item()
