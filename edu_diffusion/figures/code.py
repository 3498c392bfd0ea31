"""Source code of the package, shown in a lesson: the code on the page is the code that runs."""

import html
import inspect
from collections.abc import Callable

from ..errors import said

__all__ = ["Source", "source"]


class Source:
    """The text of a function, shown as Python below its formula; a closed one shows both when its line is pressed."""

    def __init__(self, text: str, closed: str = "", formula: str = "") -> None:
        self.text, self.closed, self.formula = text, closed, formula

    def __repr__(self) -> str:
        return said("{}: press to see it", self.closed) if self.closed else self.text

    def _repr_mimebundle_(self, **_):
        formula = f"$${self.formula}$$\n\n" if self.formula else ""
        if not self.closed:
            return {"text/markdown": f"{formula}```python\n{self.text}\n```", "text/plain": self.text}
        code = f'{html.escape(formula)}<pre style="padding:.5em 1em"><code>{html.escape(self.text)}</code></pre>'
        summary = f'<summary style="cursor:pointer">{html.escape(self.closed)}</summary>'
        return {"text/html": f"<details>{summary}{code}</details>", "text/plain": repr(self)}


def source(function: Callable, closed: bool = False, formula: str = "") -> Source:
    """Return the Source of a function or class, exactly as it is in the package.

    closed: show its name only, and the code when the name is pressed: for code that a learner should write first.
    formula: what it computes, in LaTeX, typeset above the code and shown together with it.
    """
    text = inspect.getsource(function).rstrip()
    return Source(text, said("Our code of {}", function.__name__) if closed else "", formula)
