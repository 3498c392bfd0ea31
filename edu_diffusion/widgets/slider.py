"""A slider with a name: the browser's own, which is read aloud and works from the keyboard, and a box to type in.

It takes the place of ipywidgets' sliders, which tell a screen reader nothing. slider.js is what the browser
runs, as it stands: no build, nothing fetched from anywhere.
"""

import pathlib

from anywidget import AnyWidget
from traitlets import Bool, Float, Int, TraitError, Unicode, Union, observe, validate

__all__ = ["Slider"]

FILE = pathlib.Path(__file__)


def number(value):
    """A trait for a number that the browser shares."""
    return Union([Int(), Float()], default_value=value).tag(sync=True)


class Slider(AnyWidget):
    """A number between min and max; while it is dragged, the last value wins.

    value: a whole number when min, max and step are. description: its name. spoken: what is read aloud for a
    value, such as "step {value} of {max}"; empty: the number. A value beyond the limits is brought back.
    """

    _esm = FILE.with_suffix(".js")
    _css = FILE.with_suffix(".css")

    value, min, max, step = number(0), number(0), number(100), number(1)
    description, spoken = Unicode().tag(sync=True), Unicode().tag(sync=True)
    disabled = Bool(False).tag(sync=True)

    def __init__(self, value=0, **settings):
        super().__init__(value=value, **settings)

    @validate("value")
    def _within(self, proposal):
        value = proposal["value"]
        if value != value:
            raise TraitError("A slider's value is not a number; give one from "
                             f"{self.min:g} to {self.max:g}.")
        value = sorted([self.min, value, self.max])[1]
        whole = all(isinstance(x, int) for x in (self.min, self.max, self.step))
        return round(value) if whole else float(value)

    @observe("min", "max")
    def _bring_back(self, _):
        self.value = self.value  # is checked again
