"""Before and after: the same prompt and seed, drawn by several models side by side."""

from ..figures import row
from ..steps import GUIDANCE, STEPS, decode, generate
from .explore import Explore
from .prompt import MOST_SEED, cut
from .timeline import whole, words

__all__ = ["PersonalExplorer"]


class PersonalExplorer(Explore):
    """A prompt and a seed; below, what each model draws.

    pipes: {name: pipeline}, such as before and after a training. prompt, seed: what the controls begin with.
    """

    def __init__(self, pipes, prompt, seed=0, steps=STEPS, guidance=GUIDANCE):
        if not pipes:
            raise ValueError("There is no model to draw with; give {name: pipeline}.")
        self.pipes, self._settings = dict(pipes), {"steps": steps, "guidance": guidance}
        super().__init__(self.compare, prompt=words(prompt, "Prompt"), seed=whole(seed, 0, MOST_SEED, "Seed"))

    def compare(self, prompt, seed):
        """Yields sentences while it draws, then the pictures as one Picture."""
        pictures = []
        for name, pipe in self.pipes.items():
            for state in generate(pipe, prompt, seed=seed, **self._settings):
                yield f"{name}: step {state.i + 1} of {self._settings['steps']}"
            pictures.append(decode(pipe, state.z_s)[0].float().cpu())
        alt = f"{prompt}, seed {seed}, drawn by: {', '.join(self.pipes)}."
        yield row(pictures, list(self.pipes), alt, 3)
        yield cut(pipe.tokenizer, prompt)
