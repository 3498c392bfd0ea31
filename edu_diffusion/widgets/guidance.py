"""Guidance: the predictions without the prompt and with it, and how guidance combines the two."""

from traitlets import dlink

from ..figures import guidance as figure
from ..steps import GUIDANCE, STEPS, guidance_at, guide, to_eps, to_x0
from ..steps.text_to_image import level, predict
from .cache import Kept
from .explore import Explore
from .prompt import MOST_SEED, cut
from .timeline import dragged, whole, words

__all__ = ["GuidanceExplorer"]

ASKED_TWICE = 0.0  # with any scale but 1 `predict` computes both predictions


class GuidanceExplorer(Explore):
    """Both predictions, their difference and the guided one at a step, for a scale and an interval of timesteps.

    pipe: a StableDiffusionPipeline. The other arguments are the controls' initial values; low, high: the timesteps
    with guidance, None being the last. At a step without guidance the run evaluates the U-Net for the
    prompt only; to show both predictions there, both are computed.
    """

    def __init__(self, pipe, prompt="a cat face on a blue background", negative="", seed=0, steps=STEPS,
                 guidance=GUIDANCE, step=5, low=0, high=None):
        last = pipe.scheduler.config.num_train_timesteps - 1
        self.kept = Kept(pipe)
        self._all = 0, last
        self._ready = None
        super().__init__(
            self.predictions,
            prompt=words(prompt, "Prompt"), negative=words(negative, "Negative prompt"),
            seed=whole(seed, 0, MOST_SEED, "Seed"), steps=whole(steps, 1, 100, "Steps"),
            step=dragged(step, 1, steps, "Step"), guidance=dragged(guidance, 0, 30, "Guidance", 0.5),
            low=dragged(low, 0, last, "From timestep t"),
            high=dragged(last if high is None else high, 0, last, "to timestep t"))
        dlink((self._controls["steps"], "value"), (self._controls["step"], "max"))

    def predictions(self, prompt, negative, seed, steps, guidance, low, high, step):
        """Yield progress messages, then both predictions as a Picture."""
        interval = None if (low, high) == self._all else (low, high)
        states = yield from self.kept.run(prompt, negative=negative, seed=seed, steps=steps,
                                          guidance=guidance, interval=interval)
        i = min(step, steps) - 1
        scales = [guidance_at(state.t, guidance, interval) for state in states]
        asked = self.kept.view(), self.kept.embed(negative, prompt)
        eps, z_0 = both(*asked, states[i], scales[i])
        gaps = [spread(s, g) for s, g in zip(states, scales)]
        *guesses, result = self.kept.pictures(*z_0, states[-1].z_s)
        levels = [state.t for state in states]
        yield figure(*(e[0] for e in eps), guesses, result, gaps, levels, i, guidance, interval)
        told = cut(self.kept.pipe.tokenizer, prompt)
        yield told
        guesses = (z for s, g in zip(states, scales) if g != 1 for z in both(*asked, s, g)[1])
        if self._ready != (now := (id(states), guidance, interval)):
            yield from (told for _ in self.kept.prepared(guesses))
            self._ready = now


def both(pipe, c, state, g):
    """Return eps and predicted z_0 without the prompt, with it, and guided: two lists of three (1, C, h, w)."""
    out_u, out_c = predict(pipe.unet, state.z_t, state.t, c, ASKED_TWICE)
    outs, kind = (out_u, out_c, guide(out_u, out_c, g)), pipe.scheduler.config.prediction_type
    known = state.z_t, level(pipe, state.t), kind
    return [to_eps(out, *known) for out in outs], [to_x0(out, *known) for out in outs]


def spread(state, g):
    """Return the root mean square of eps_c - eps_u; nan where the U-Net was run for the prompt only."""
    return float("nan") if g == 1 else (state.eps_c - state.eps_u).float().square().mean().sqrt().item()
