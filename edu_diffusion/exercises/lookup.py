"""Find a learner's answer by its name, and notice when the cell that should define it failed or defined another name."""

import difflib
import linecache
import re
import sys
import types
from typing import Any

from ..errors import said

MISSING = object()


class Failed(str):
    """The sentence about a cell that failed; any other one is about an answer that is not there yet."""


def notebook() -> Any:
    """The running IPython shell, or None in plain Python."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def answer(name: str, shell: Any = None) -> tuple[Any, str | None]:
    """Return (the object called my_<name> in the notebook, None), or (None, what went wrong as a sentence).

    shell: an IPython shell; None is the running one. Outside a notebook the sentence says to pass the answer itself.
    """
    shell, own = shell or notebook(), f"my_{name}"
    if shell is None:
        return None, said('Nothing to check yet: outside a notebook, pass your answer itself, as in check("{}", {}).', name, own)
    mine = shell.user_ns.get(own, MISSING)
    cell = newest(own, shell.user_ns.get("In", ())[:-1])
    if cell is not None and failed(cell, mine):
        return None, Failed(
            said("Not yet: the cell that defines {} stopped with an error; read its last line and correct that first.", own)
        )
    if mine is MISSING:
        return None, said("Nothing to check yet: there is no {}{}", own, other(own, shell.user_ns))
    return mine, None


def newest(own, cells):
    """The newest cell that defines a name, or None."""
    defines = re.compile(rf"^\s*(?:def|class)\s+{own}\b|^\s*{own}\s*=[^=]", re.MULTILINE)
    return next((cell for cell in reversed(cells) if defines.search(cell)), None)


def failed(cell, mine):
    """Whether a cell cannot have given the name its meaning: it is not Python, or the function stems from an earlier cell."""
    try:
        compile(cell, "cell", "exec")
    except SyntaxError:
        return not re.search(r"^\s*[%!?]|[?]\s*$|=\s*[%!]", cell, re.MULTILINE)  # IPython's own commands are no Python either
    code = getattr(mine, "__code__", None)
    lines = linecache.getlines(code.co_filename) if isinstance(code, types.CodeType) else []
    return bool(lines) and "ipykernel" in code.co_filename and "".join(lines).strip() != cell.strip()


def other(own, names):
    """What to do about a missing name: a similar one that was defined, or the cell that was not run."""
    written = [n for n, v in names.items() if not n.startswith("_") and getattr(v, "__module__", None) == "__main__"]
    close = difflib.get_close_matches(own, {*written, *(n for n in names if n.startswith("my_"))}, n=1, cutoff=0.5)
    bare = [own.removeprefix("my_")] if own.removeprefix("my_") in written else []
    if bare or close:
        return said("; you have defined {}: call it {}.", (bare or close)[0], own)
    return said(": run the cell above in which you write it.")
