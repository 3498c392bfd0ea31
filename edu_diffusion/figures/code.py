"""Source code of the package, shown in a lesson: the code on the page is the code that runs."""

import inspect
from collections.abc import Callable

__all__ = ["Source", "source"]


class Source:
    """The text of a function, shown as Python."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_):
        return {"text/markdown": f"```python\n{self.text}\n```", "text/plain": self.text}


def source(function: Callable) -> Source:
    """Return the Source of a function or class, exactly as it is in the package."""
    return Source(inspect.getsource(function).rstrip())
