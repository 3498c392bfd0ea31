"""An accessible slider: the browser's own, which screen readers announce and the keyboard moves, and a number field.

It replaces ipywidgets' sliders, which have no accessible name. The browser runs slider.js exactly as it is in the
repository: there is no build step, and nothing is downloaded.
"""

import pathlib
from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Float, Int, TraitError, Unicode, Union, observe, validate

from ..errors import said

__all__ = ["Slider"]

FILE = pathlib.Path(__file__)


def number(value):
    """Return a trait for a number that is synchronised with the browser."""
    return Union([Int(), Float()], default_value=value).tag(sync=True)


class Slider(AnyWidget):
    """A number between min and max; while it is dragged, the last value wins.

    value: a whole number if min, max and step are. description: its name. spoken: what a screen reader says for a
    value, such as "step {value} of {max}"; empty: the number. numbered: the name of the number field.
    A value beyond the limits is clipped to them.
    """

    _esm = FILE.with_suffix(".js")
    _css = FILE.with_suffix(".css")

    value = number(0)
    min = number(0)
    max = number(100)
    step = number(1)
    description = Unicode().tag(sync=True)
    spoken = Unicode().tag(sync=True)
    numbered = Unicode().tag(sync=True)
    disabled = Bool(False).tag(sync=True)

    def __init__(self, value: float = 0, **settings: Any) -> None:
        settings.setdefault("numbered", said("{}, as a number", settings.get("description", "")))
        super().__init__(value=value, **settings)

    @validate("value")
    def _within(self, proposal):
        value = proposal["value"]
        if value != value:
            raise TraitError(f"A slider's value is not a number; give one from {self.min:g} to {self.max:g}.")
        value = sorted([self.min, value, self.max])[1]
        whole = all(isinstance(x, int) for x in (self.min, self.max, self.step))
        return round(value) if whole else float(value)

    @observe("min", "max")
    def _bring_back(self, _):
        self.value = self.value  # validated again
