"""Type a prompt and watch the noise become a picture."""

from ipywidgets import BoundedFloatText, BoundedIntText, Layout, Text

from ..figures import film_strip
from ..steps import GUIDANCE, STEPS, decode, generate
from .explore import Explore

__all__ = ["PromptWidget", "film"]

MOST_SEED = 2**31 - 1  # seeds go further, but a browser's numbers are exact to 2**53 only


class PromptWidget(Explore):
    """Prompt, seed, steps and guidance; below, the film strip and the enlarged final picture.

    pipe: a StableDiffusionPipeline. The other arguments are the controls' initial values.
    """

    def __init__(self, pipe, prompt="a cat face on a blue background", seed=0, steps=STEPS, guidance=GUIDANCE):
        narrow = Layout(width="130px")
        super().__init__(
            lambda **values: film(pipe, **values), button="Draw",
            prompt=Text(prompt, description="Prompt", continuous_update=False, layout=Layout(width="440px")),
            seed=BoundedIntText(seed, min=0, max=MOST_SEED, description="Seed", layout=narrow),
            steps=BoundedIntText(steps, min=1, max=100, description="Steps", layout=narrow),
            guidance=BoundedFloatText(guidance, min=0, max=30, step=0.5, description="Guidance", layout=narrow))


def film(pipe, prompt, seed=0, steps=STEPS, guidance=GUIDANCE, moments=3):
    """Generate a picture; yield a progress message at each step, and at the end the film strip as a Picture."""
    states = []
    for state in generate(pipe, prompt, seed=seed, steps=steps, guidance=guidance):
        states.append(state)
        yield f"Step {len(states)} of {steps}"
    shown = [states[i] for i in evenly(len(states), moments)]
    noisy, clean = ([decode(pipe, getattr(s, name))[0] for s in shown] for name in ("z_t", "z_0"))
    result = decode(pipe, states[-1].z_s)[0]
    yield film_strip(noisy, clean, [f"t = {s.t}" for s in shown], result, prompt, seed=seed)
    yield cut(pipe.tokenizer, prompt)


def cut(tokenizer, prompt):
    """Return a sentence if the prompt is truncated, else an empty one."""
    count, most = len(tokenizer(prompt, verbose=False).input_ids), tokenizer.model_max_length
    return f"The prompt has {count - 2} tokens; only the first {most - 2} are read." if count > most else ""


def evenly(count, wanted):
    """Return at most `wanted` of the numbers 0 to count - 1, from the first to the last, evenly spaced."""
    wanted = min(count, wanted)
    return sorted({round(k * (count - 1) / max(wanted - 1, 1)) for k in range(wanted)})
