"""Type a prompt and watch the noise become a picture; a word that the model does not know can be replaced by a press."""

from ..errors import said
from ..figures import film_strip
from ..steps import GUIDANCE, STEPS, decode, generate
from .controls import number, seeds, whole, words
from .explore import Explore
from .hints import Drawing, Pipeline
from .messages import notices
from .progress import all_states
from .suggestions import Suggestions

__all__ = ["PromptWidget", "film"]


class PromptWidget(Explore):
    """Prompt, seed, steps and guidance, and suggestions for unknown words; below, the film strip and the enlarged final picture.

    pipe: a StableDiffusionPipeline. The other arguments are the controls' initial values.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
    ) -> None:
        control = words(prompt, said("Prompt"))
        self.suggestions = Suggestions(control, pipe.tokenizer)  # it hears of a new prompt before the picture is drawn
        super().__init__(
            lambda **values: film(pipe, **values),
            button=said("Draw"),
            prompt=control,
            seed=seeds(seed),
            steps=whole(steps, 1, 100, said("Steps")),
            guidance=number(guidance, 0, 30, 0.5, said("Guidance")),
        )

    def _rows(self):
        """Return the rows, with the suggestions under the controls."""
        bar, *rest = super()._rows()
        return [bar, self.suggestions, *rest]


def film(pipe: Pipeline, prompt: str, seed: int = 0, steps: int = STEPS, guidance: float = GUIDANCE, moments: int = 3) -> Drawing:
    """Generate a picture; yield a progress message at each step, and at the end the film strip as a Picture, and advice."""
    loop = generate(pipe, prompt, seed=seed, steps=steps, guidance=guidance)
    states = yield from all_states(loop, steps)
    shown = [states[i] for i in evenly(len(states), moments)]
    noisy, clean = ([decode(pipe, getattr(s, name))[0] for s in shown] for name in ("z_t", "z_0"))
    result = decode(pipe, states[-1].z_s)[0]
    yield film_strip(noisy, clean, [f"t = {s.t}" for s in shown], result, prompt, seed=seed)
    yield notices(pipe.tokenizer, prompt)


def evenly(count, wanted):
    """Return at most `wanted` of the numbers 0 to count - 1, from the first to the last, evenly spaced."""
    wanted = min(count, wanted)
    return sorted({round(k * (count - 1) / max(wanted - 1, 1)) for k in range(wanted)})
