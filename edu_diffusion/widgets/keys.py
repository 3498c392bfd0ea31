"""Keys: an invisible widget that keeps JupyterLab's shortcuts away from the explorer that contains it."""

import pathlib

from anywidget import AnyWidget

__all__ = ["Keys"]


class Keys(AnyWidget):
    """Put one into an Explore to make every control in it work from the keyboard (keys.js says why)."""

    _esm = pathlib.Path(__file__).with_suffix(".js")
