"""The timeline of the reverse process: the steps of a run, alone or beside a second run that differs in one setting."""

from typing import Any

from ipywidgets import HBox, Layout, VBox
from traitlets import dlink

from ..figures import Moment, timeline
from ..steps import GUIDANCE, STEPS, dpmpp_2m_step, euler_ancestral_step
from ..steps.text_to_image import State
from .cached_runs import CachedRuns, other_words
from .controls import choice, dragged, number, reveal, seeds, whole, words
from .explore import Explore
from .hints import Drawing, Messages, Pipeline
from .messages import cut
from .playback import Playback

__all__ = ["TimelineExplorer"]

# Heun's is not among them: it runs the U-Net twice at every step.
SAMPLERS = {"DDIM": None, "DPM-Solver++ 2M": dpmpp_2m_step, "Euler ancestral": euler_ancestral_step}
SWAPPED = "a prompt swapped midway"
SECOND = {  # the difference of the second run: the controls for it
    "nothing": (),
    "another seed": ("other_seed",),
    "another prompt": ("other_prompt",),
    "another sampler": ("other_sampler",),
    SWAPPED: ("other_prompt", "since"),
}
OTHER = ("other_seed", "other_prompt", "other_sampler", "since")  # the controls that only some second runs need


class TimelineExplorer(Explore):
    """Scrub through the denoising steps: x_t, predicted x_0, predicted noise, and the final picture.

    pipe: a StableDiffusionPipeline. The other arguments are the controls' initial values; second: one of SECOND,
    the difference of a second run below. since: the step (from 1) at which its prompt is swapped. Each run is
    computed once; moving from step to step only decodes new latents, and does not run the U-Net.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        sampler: str = "DDIM",
        step: int = 1,
        second: str = "nothing",
        other_prompt: str = "a dog face on a red background",
        other_seed: int = 1,
        other_sampler: str = "DPM-Solver++ 2M",
        since: int = 8,
    ) -> None:
        self.runs = CachedRuns(pipe)
        super().__init__(
            self.moments,
            step=dragged(step, 1, steps, "Step"),
            prompt=words(prompt, "Prompt"),
            seed=seeds(seed),
            steps=whole(steps, 1, 100, "Steps"),
            guidance=number(guidance, 0, 30, 0.5, "Guidance"),
            sampler=choice(SAMPLERS, sampler, "Sampler"),
            second=choice(SECOND, second, "Second run:"),
            other_prompt=words(other_prompt, "Other prompt"),
            other_seed=seeds(other_seed, "Other seed"),
            other_sampler=choice(SAMPLERS, other_sampler, "Other sampler"),
            since=dragged(since, 1, steps, "Swap at step"),
        )
        self.playback = Playback(self.controls["step"])
        self.children: list = [self._arranged(), *self.children[1:]]
        self._link()

    def _arranged(self):
        """Return the controls in rows: the run, the second run, the step."""
        names = [("prompt", "seed", "steps", "guidance", "sampler"), ("second", *OTHER), ("step",)]
        rows = [HBox([self.controls[name] for name in row], layout=Layout(flex_flow="row wrap")) for row in names]
        rows[-1].children += (self.playback,)
        return VBox(rows)

    def _link(self):
        """Let the controls follow each other."""
        c = self.controls
        for follower in (c["step"], c["since"], self.playback.player):
            dlink((c["steps"], "value"), (follower, "max"))
        c["second"].observe(lambda _: self._reveal(), "value")
        self._reveal()

    def _reveal(self):
        """Show the controls that the second run needs."""
        reveal({name: self.controls[name] for name in OTHER}, SECOND[self.controls["second"].value])

    def moments(self, step: int, since: int, **values: Any) -> Drawing:
        """Yield progress messages, then the timeline as a Picture; then decode what the slider will need."""
        i, since = min(step, values["steps"]) - 1, min(since, values["steps"])
        runs = yield from self.both_runs(since, **values)
        timesteps = [state.t for state in runs[0][1]]
        swap = since - 1 if values["second"] == SWAPPED else None
        yield timeline([self._moment(label, states, i) for label, states in runs], timesteps, i, swap)
        note = cut(self.runs.pipe.tokenizer, values["prompt"])
        yield note
        latents = (z for _, states in runs for s in states for z in (s.z_t, s.z_0))
        yield from (note for _ in self.runs.prepared(latents))

    def both_runs(
        self,
        since: int,
        prompt: str,
        seed: int,
        sampler: str,
        second: str,
        other_prompt: str,
        other_seed: int,
        other_sampler: str,
        **settings: Any,
    ) -> Messages[list[tuple[str, list[State]]]]:
        """Return the run, and the second one if there is one: pairs (label, States)."""
        first: dict[str, Any] = {"prompt": prompt, "seed": seed, "sampler": sampler}
        states = yield from self._states(first, settings)
        runs = [(labelled(**first), states)]
        differing: dict[str, dict[str, Any]] = {
            "another seed": {"seed": other_seed},
            "another prompt": {"prompt": other_prompt},
            "another sampler": {"sampler": other_sampler},
        }
        other = differing.get(second)
        if second == SWAPPED:
            swapped = yield from self._states(first, settings, other_prompt, states[since - 1].t)
            runs.append((f'from step {since} on "{other_prompt}"', swapped))
        elif other:
            runs.append((labelled(**first | other), (yield from self._states(first | other, settings))))
        return runs

    def _states(self, run, settings, other=None, since=None):
        """Return the States of a run, from timestep `since` on with the other prompt."""
        swapped = None if other is None else other_words(self.runs.embed(other), since)
        return (
            yield from self.runs.run(
                run["prompt"], swapped, (other, since), seed=run["seed"], step=SAMPLERS[run["sampler"]], **settings
            )
        )

    def _moment(self, label, states, i):
        """Return the Moment of a run at step i."""
        state = states[i]
        noisy, clean, result = self.runs.pictures(state.z_t, state.z_0, states[-1].z_s)
        return Moment(label, noisy, clean, state.eps[0], result)


def labelled(prompt, seed, sampler):
    """Describe a run in words."""
    return f'"{prompt}", seed {seed}, {sampler}'
