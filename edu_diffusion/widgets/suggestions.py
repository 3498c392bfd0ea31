"""Buttons under a prompt: what may be meant by a word that the model has never read; a press puts it into the prompt."""

from functools import partial

from ipywidgets import Button, HBox, Layout, Text

from ..data import advice
from ..errors import said
from .hints import Tokenizer

__all__ = ["Suggestions"]

MOST = 8  # buttons


class Suggestions(HBox):
    """A button for each suggestion on a prompt: "pengiun" -> penguin. They follow the prompt, and go once they are taken.

    prompt: the control whose value is read and changed. tokenizer: the model's; the original's knows more words than ours.
    """

    def __init__(self, prompt: Text, tokenizer: Tokenizer) -> None:
        self._prompt, self._tokenizer = prompt, tokenizer
        super().__init__(layout=Layout(flex_flow="row wrap"))
        prompt.observe(self._follow, "value")
        self._follow()

    def _follow(self, _=None):
        """Show the buttons for the prompt as it is now."""
        found = advice.suggestions(self._tokenizer, self._prompt.value)[:MOST]
        self.children = tuple(self._button(*pair) for pair in found)
        self.layout.display = "" if found else "none"

    def _button(self, text, offer):
        short = advice.shortened(text)
        hint = said('Write "{}" in place of "{}"', offer, short)
        button = Button(description=f"{short} → {offer}", tooltip=hint, layout=Layout(width="auto"))
        button.on_click(partial(self._take, text, offer))
        return button

    def _take(self, text, offer, _):
        """Handle a press: the prompt changes, and whoever watches it draws."""
        self._prompt.value = advice.replaced(self._prompt.value, text, offer)
