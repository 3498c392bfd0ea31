"""Small functions that make a control with an accessible name, and what several explorers need beside them."""

from collections.abc import Callable, Collection, Iterable, Mapping

from ipywidgets import BoundedFloatText, BoundedIntText, Button, Checkbox, DOMWidget, Dropdown, Layout, Text

from .slider import Slider

__all__ = ["MOST_SEED", "choice", "dragged", "number", "pressed", "reveal", "seeds", "ticked", "whole", "words"]

MOST_SEED = 2**31 - 1  # seeds go further, but a browser's numbers are exact to 2**53 only


def words(value: str, name: str, width: str = "440px") -> Text:
    """Return a control for a text; its value is used when Enter is pressed or the field loses focus."""
    return Text(value, description=name, continuous_update=False, layout=Layout(width=width))


def whole(value: int, low: int, high: int, name: str) -> BoundedIntText:
    """Return a control for a whole number."""
    return BoundedIntText(value, min=low, max=high, description=name, layout=Layout(width="160px"))


def seeds(value: int, name: str = "Seed") -> BoundedIntText:
    """Return a control for a seed."""
    return whole(value, 0, MOST_SEED, name)


def number(value: float, low: float, high: float, step: float, name: str) -> BoundedFloatText:
    """Return a control for a number."""
    return BoundedFloatText(value, min=low, max=high, step=step, description=name, layout=Layout(width="180px"))


def dragged(value: float, low: float, high: float, name: str, step: float = 1) -> Slider:
    """Return a slider; one called "... step" announces its value as "3 of 20"."""
    spoken = "{value} of {max}" if name.lower().endswith("step") else ""
    return Slider(value, min=low, max=high, step=step, description=name, spoken=spoken)


def choice(options: Iterable[str] | Iterable[tuple[str, object]], value: object, name: str) -> Dropdown:
    """Return a control for a choice of several options: strings, or pairs (string, value)."""
    return Dropdown(options=list(options), value=value, description=name, layout=Layout(width="auto"))


def ticked(value: bool, name: str) -> Checkbox:
    """Return a control for yes or no."""
    return Checkbox(value, description=name, indent=False)


def pressed(name: str, hint: str, action: Callable[[Button], None]) -> Button:
    """Return a button. hint: what a press does; action: a function that is called with the button."""
    button = Button(description=name, tooltip=hint, layout=Layout(width="auto"))
    button.on_click(action)
    return button


def reveal(controls: Mapping[str, DOMWidget], wanted: Collection[str]) -> None:
    """Show the wanted controls and hide the others. controls: {name: control}; wanted: names."""
    for name, control in controls.items():
        control.layout.display = "" if name in wanted else "none"
