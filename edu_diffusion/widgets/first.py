"""The first five minutes: one prompt drawn from four seeds at once; other seeds, or a surprise, by a press."""

import random

from ..data import school
from ..errors import said
from ..figures import row
from ..steps import STEPS, decode, generate
from .controls import MOST_SEED, pressed, whole, words
from .explore import Explore
from .hints import Drawing, Pipeline
from .messages import notices
from .progress import all_states
from .suggestions import Suggestions

__all__ = ["FirstPicture"]

COUNT = 4  # pictures
EDGE = 192  # pixels of a small model's picture on the page, at least
LAST = MOST_SEED - COUNT  # the greatest first seed


class FirstPicture(Explore):
    """A prompt, and below it four pictures of it, each from another seed.

    "Draw" draws the prompt, "Again" the same prompt from the next four seeds, "Surprise me" a prompt that names something
    the model knows; for a school class nothing on its list. pipe: a StableDiffusionPipeline. prompt, seed: the prompt and
    the first seed at the beginning.
    """

    def __init__(self, pipe: Pipeline, prompt: str = "a dog", seed: int = 0) -> None:
        text, first = words(prompt, said("Prompt")), whole(seed, 0, LAST, said("First seed"))
        first.layout.display = "none"  # the captions say it; "Again" changes it
        self._suggestions = Suggestions(text, pipe.tokenizer)  # it hears of a new prompt before the pictures are drawn
        self.again = pressed(said("Again"), said("Draw the same prompt from four other seeds"), self._other_seeds)
        self.surprise = pressed(said("Surprise me"), said("Draw a prompt that the model knows"), self._other_prompt)
        super().__init__(lambda **values: four(pipe, **values), button=said("Draw"), prompt=text, seed=first)

    def _rows(self):
        """Return the rows: the controls with all three buttons, the suggestions, the message, the pictures."""
        bar, *rest = super()._rows()
        bar.children = [*bar.children, self.again, self.surprise]
        return [bar, self._suggestions, *rest]

    @property
    def prompt(self) -> str:
        """The prompt in the box."""
        return self.controls["prompt"].value

    def _other_seeds(self, _):
        """Handle a press of "Again"; after the greatest seed come the first ones."""
        first = self.controls["seed"]
        first.value = first.value + COUNT if first.value + COUNT <= LAST else 0

    def _other_prompt(self, _):
        """Handle a press of "Surprise me"."""
        self.controls["prompt"].value = school.surprise(random.randrange(MOST_SEED))


def four(pipe: Pipeline, prompt: str, seed: int = 0) -> Drawing:
    """Generate four pictures of a prompt; yield a message at each step, at the end the pictures as a Picture, and notices."""
    states = yield from all_states(generate(pipe, [prompt] * COUNT, seed=seed), STEPS)
    pictures = decode(pipe, states[-1].z_s).float().cpu()
    labels = [said("seed {}", seed + i) for i in range(COUNT)]
    alt = said(
        'Four pictures of the prompt "{}" side by side, to be compared in colour, size and place; each from its own starting '
        "noise: {}.",
        prompt,
        ", ".join(labels),
    )
    yield row(pictures, labels, alt, scale=max(1, EDGE // pictures.shape[-1]))
    yield notices(pipe.tokenizer, prompt)
