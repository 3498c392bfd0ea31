"""Small functions that make a control with an accessible name, and what several explorers need beside them."""

from ipywidgets import BoundedFloatText, BoundedIntText, Checkbox, Dropdown, Layout, Text

from .slider import Slider

__all__ = ["MOST_SEED", "choice", "cut", "dragged", "number", "reveal", "seeds", "ticked", "whole", "words"]

MOST_SEED = 2**31 - 1  # seeds go further, but a browser's numbers are exact to 2**53 only


def words(value, name, width="440px"):
    """Return a control for a text; its value is used when Enter is pressed or the field loses focus."""
    return Text(value, description=name, continuous_update=False, layout=Layout(width=width))


def whole(value, low, high, name):
    """Return a control for a whole number."""
    return BoundedIntText(value, min=low, max=high, description=name, layout=Layout(width="160px"))


def seeds(value, name="Seed"):
    """Return a control for a seed."""
    return whole(value, 0, MOST_SEED, name)


def number(value, low, high, step, name):
    """Return a control for a number."""
    return BoundedFloatText(value, min=low, max=high, step=step, description=name, layout=Layout(width="180px"))


def dragged(value, low, high, name, step=1):
    """Return a slider; one called "... step" announces its value as "3 of 20"."""
    spoken = "{value} of {max}" if name.lower().endswith("step") else ""
    return Slider(value, min=low, max=high, step=step, description=name, spoken=spoken)


def choice(options, value, name):
    """Return a control for a choice of several options: strings, or pairs (string, value)."""
    return Dropdown(options=list(options), value=value, description=name, layout=Layout(width="auto"))


def ticked(value, name):
    """Return a control for yes or no."""
    return Checkbox(value, description=name, indent=False)


def reveal(controls, wanted):
    """Show the wanted controls and hide the others. controls: {name: control}; wanted: names."""
    for name, control in controls.items():
        control.layout.display = "" if name in wanted else "none"


def cut(tokenizer, prompt):
    """Return a sentence if the prompt is truncated, else an empty one."""
    count, most = len(tokenizer(prompt, verbose=False).input_ids), tokenizer.model_max_length
    return f"The prompt has {count - 2} tokens; only the first {most - 2} are read." if count > most else ""
