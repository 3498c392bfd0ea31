"""The timeline of the reverse process: the steps of a run, alone or beside a second run that differs in one setting."""

from ipywidgets import BoundedFloatText, BoundedIntText, Dropdown, HBox, Layout, Play, Text, ToggleButton, VBox
from traitlets import dlink, link

from ..figures import Moment, timeline
from ..steps import GUIDANCE, STEPS, dpmpp_2m_step, euler_ancestral_step
from .cache import Kept, other_words
from .explore import Explore
from .prompt import MOST_SEED, cut
from .slider import Slider

__all__ = ["TimelineExplorer"]

# Heun's is not among them: it runs the U-Net twice at every step.
SAMPLERS = {"DDIM": None, "DPM-Solver++ 2M": dpmpp_2m_step, "Euler ancestral": euler_ancestral_step}
SECOND = {  # the difference of the second run: the controls for it
    "nothing": (), "another seed": ("other_seed",), "another prompt": ("other_prompt",),
    "another sampler": ("other_sampler",), "a prompt swapped midway": ("other_prompt", "since"),
}
PACE = 400  # ms from one step to the next during playback


class TimelineExplorer(Explore):
    """Scrub through the denoising steps: x_t, predicted x_0, predicted noise, and the final picture.

    pipe: a StableDiffusionPipeline. The other arguments are the controls' initial values; second: one of SECOND,
    the difference of a second run below. since: the step (from 1) at which its prompt is swapped. Each run is
    computed once; moving from step to step only decodes new latents, and does not run the U-Net.
    """

    def __init__(self, pipe, prompt="a cat face on a blue background", seed=0, steps=STEPS, guidance=GUIDANCE,
                 sampler="DDIM", step=1, second="nothing", other_prompt="a dog face on a red background",
                 other_seed=1, other_sampler="DPM-Solver++ 2M", since=8):
        self.kept = Kept(pipe)
        super().__init__(
            self.moments,
            step=dragged(step, 1, steps, "Step"), prompt=words(prompt, "Prompt"),
            seed=whole(seed, 0, MOST_SEED, "Seed"), steps=whole(steps, 1, 100, "Steps"),
            guidance=number(guidance, 0, 30, 0.5, "Guidance"),
            sampler=choice(SAMPLERS, sampler, "Sampler"), second=choice(SECOND, second, "Second run:"),
            other_prompt=words(other_prompt, "Other prompt"),
            other_seed=whole(other_seed, 0, MOST_SEED, "Other seed"),
            other_sampler=choice(SAMPLERS, other_sampler, "Other sampler"),
            since=dragged(since, 1, steps, "Swap at step"))
        self.player = Play(value=step, min=1, max=steps, interval=PACE, layout=Layout(display="none"))
        self.toggle = ToggleButton(description="Play", tooltip="Play the steps one after the other",
                                   layout=Layout(width="auto"))
        self.children = [self._arranged(), *self.children[1:]]
        self._link()

    def _arranged(self):
        """Return the controls in rows: the run, the second run, the step."""
        c = self._controls
        rows = [("prompt", "seed", "steps", "guidance", "sampler"), ("second", *extras()), ("step",)]
        boxes = [HBox([c[name] for name in row], layout=Layout(flex_flow="row wrap")) for row in rows]
        boxes[-1].children += (self.toggle, self.player)
        return VBox(boxes)

    def _link(self):
        """Let the controls follow each other."""
        c = self._controls
        for follower in (c["step"], c["since"], self.player):
            dlink((c["steps"], "value"), (follower, "max"))
        link((c["step"], "value"), (self.player, "value"))
        link((self.toggle, "value"), (self.player, "playing"))
        c["second"].observe(lambda _: self._reveal(), "value")
        self._reveal()

    def _reveal(self):
        """Show the controls that the second run needs."""
        wanted = SECOND[self._controls["second"].value]
        for name in extras():
            self._controls[name].layout.display = "" if name in wanted else "none"

    def moments(self, step, second, other_prompt, other_seed, other_sampler, since, **first):
        """Yield progress messages, then the timeline as a Picture."""
        run = {"prompt": first["prompt"], "seed": first["seed"], "sampler": first["sampler"]}
        rest = {"steps": first["steps"], "guidance": first["guidance"]}
        i, since = min(step, rest["steps"]) - 1, min(since, rest["steps"])
        runs = [(labelled(**run), (yield from self._states(run, rest)))]
        other = {"another seed": {"seed": other_seed}, "another prompt": {"prompt": other_prompt},
                 "another sampler": {"sampler": other_sampler}}.get(second, {})
        if second == "a prompt swapped midway":
            label = f'from step {since} on "{other_prompt}"'
            runs.append((label, (yield from self._states(run, rest, other_prompt, runs[0][1][since - 1].t))))
        elif other:
            runs.append((labelled(**run | other), (yield from self._states(run | other, rest))))
        swap = since - 1 if second == "a prompt swapped midway" else None
        levels = [state.t for state in runs[0][1]]
        yield timeline([self._moment(label, states, i) for label, states in runs], levels, i, swap)
        told = cut(self.kept.pipe.tokenizer, run["prompt"])
        yield told
        shown = (z for _, states in runs for s in states for z in (s.z_t, s.z_0))
        yield from (told for _ in self.kept.prepared(shown))

    def _states(self, run, rest, other=None, since=None):
        """Return the States of a run, from timestep `since` on with the other prompt."""
        swapped = None if other is None else other_words(self.kept.embed(other), since)
        return (yield from self.kept.run(run["prompt"], swapped, (other, since), seed=run["seed"],
                                         step=SAMPLERS[run["sampler"]], **rest))

    def _moment(self, label, states, i):
        """Return the Moment of a run at step i."""
        state = states[i]
        noisy, clean, result = self.kept.pictures(state.z_t, state.z_0, states[-1].z_s)
        return Moment(label, noisy, clean, state.eps[0], result)


def extras():
    """Return the controls that only some second runs need, in order."""
    return list(dict.fromkeys(name for names in SECOND.values() for name in names))


def labelled(prompt, seed, sampler):
    """Describe a run in words."""
    return f'"{prompt}", seed {seed}, {sampler}'


def whole(value, low, high, name):
    """Return a control for a whole number."""
    return BoundedIntText(value, min=low, max=high, description=name, layout=Layout(width="160px"))


def dragged(value, low, high, name, step=1):
    """Return a slider; one called "... step" announces its value as "3 of 20"."""
    spoken = "{value} of {max}" if name.lower().endswith("step") else ""
    return Slider(value, min=low, max=high, step=step, description=name, spoken=spoken)


def number(value, low, high, step, name):
    """Return a control for a number."""
    return BoundedFloatText(value, min=low, max=high, step=step, description=name,
                            layout=Layout(width="180px"))


def words(value, name):
    """Return a control for a text."""
    return Text(value, description=name, continuous_update=False, layout=Layout(width="440px"))


def choice(options, value, name):
    """Return a control for a choice of several options."""
    return Dropdown(options=list(options), value=value, description=name, layout=Layout(width="auto"))
