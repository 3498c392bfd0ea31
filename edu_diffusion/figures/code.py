"""Source code of the package, shown in a lesson: the code on the page is the code that runs."""

import html
import inspect
from collections.abc import Callable

from ..errors import said

__all__ = ["Source", "source"]


class Source:
    """The text of a function, shown as Python; a closed one is shown when its line is pressed."""

    def __init__(self, text: str, closed: str = "") -> None:
        self.text, self.closed = text, closed

    def __repr__(self) -> str:
        return said("{}: press to see it", self.closed) if self.closed else self.text

    def _repr_mimebundle_(self, **_):
        if not self.closed:
            return {"text/markdown": f"```python\n{self.text}\n```", "text/plain": self.text}
        code = f'<pre style="padding:.5em 1em"><code>{html.escape(self.text)}</code></pre>'
        summary = f'<summary style="cursor:pointer">{html.escape(self.closed)}</summary>'
        return {"text/html": f"<details>{summary}{code}</details>", "text/plain": repr(self)}


def source(function: Callable, closed: bool = False) -> Source:
    """Return the Source of a function or class, exactly as it is in the package.

    closed: show its name only, and the code when the name is pressed: for code that a learner should write first.
    """
    text = inspect.getsource(function).rstrip()
    return Source(text, said("Our code of {}", function.__name__) if closed else "")
