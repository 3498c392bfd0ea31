"""Keys: nothing to be seen; keeps JupyterLab's shortcuts off the explorer that it is put into."""

import pathlib

from anywidget import AnyWidget

__all__ = ["Keys"]


class Keys(AnyWidget):
    """Put one into an Explore, and every control in it works from the keyboard (keys.js says why)."""

    _esm = pathlib.Path(__file__).with_suffix(".js")
