"""Play and pause beside a slider: nothing moves before the button is pressed."""

from ipywidgets import HBox, Layout, Play, ToggleButton
from traitlets import link

from ..errors import said
from .slider import Slider

__all__ = ["Playback"]

PACE = 400  # ms from one step to the next during playback


class Playback(HBox):
    """A button that moves a slider from step to step; pressed again it pauses, and at the end it stops by itself.

    slider: a Slider of whole numbers. What is drawn follows the slider, so the keyboard works with both.
    """

    def __init__(self, slider: Slider) -> None:
        hidden = Layout(display="none")
        self.player = Play(value=slider.value, min=slider.min, max=slider.max, interval=PACE, layout=hidden)
        self.toggle = ToggleButton(tooltip=said("Play the steps one after the other, or pause"), layout=Layout(width="auto"))
        link((slider, "value"), (self.player, "value"))
        link((self.toggle, "value"), (self.player, "playing"))
        self.toggle.observe(lambda _: self._name(), "value")
        self._name()
        super().__init__([self.toggle, self.player])

    def _name(self):
        """Write on the button what its next press does."""
        self.toggle.description = said("Pause") if self.toggle.value else said("Play")
