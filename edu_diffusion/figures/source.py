"""The package's own lines, shown in a lesson: what is read there is what runs."""

import inspect

__all__ = ["Source", "source"]


class Source:
    """The text of a function, shown as Python."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text

    def _repr_mimebundle_(self, **_):
        return {"text/markdown": f"```python\n{self.text}\n```", "text/plain": self.text}


def source(function):
    """The source of a function or class, as it stands in the package. Returns a Source."""
    return Source(inspect.getsource(function).rstrip())
