"""The verdict as a notebook shows it: a coloured box with an icon, the text and the progress, announced to screen readers."""

import html

from ..errors import said
from .exercise import Verdict

# right -> (icon, its name, background, border): dark text on a light ground, contrast above 7 : 1, and never colour alone
LOOKS = {
    True: ("✓", "right", "#e6f4ea", "#1e7b34"),
    False: ("✗", "not yet", "#fdecea", "#b3261e"),
    None: ("…", "not answered", "#eef1f5", "#5f6b7a"),
}


class Box:
    """What `check` returns: the Verdict, and how many of the lesson's questions are answered right so far."""

    def __init__(self, verdict: Verdict, done: int = 0, of: int = 0) -> None:
        self.verdict, self.done, self.of = verdict, done, of

    @property
    def right(self) -> bool | None:
        """True, False, or None while there is nothing to check."""
        return self.verdict.right

    def progress(self) -> str:
        """Such as "2 of 4 answered in this lesson"; empty where nothing is counted."""
        return said("{} of {} right in this lesson", self.done, self.of) if self.of else ""

    def __repr__(self) -> str:
        return f"{self.verdict.words}{f'  ({self.progress()})' if self.of else ''}"

    def _repr_html_(self) -> str:
        icon, name, ground, border = LOOKS[self.verdict.right]
        box = f"background:{ground};border-left:6px solid {border};color:#111;padding:.6em .9em;margin:.3em 0;font-size:1rem"
        return (
            f'<div role="status" aria-live="polite" style="{box}">'
            f'<span role="img" aria-label="{html.escape(said(name))}" style="color:{border};font-weight:bold">{icon}</span> '
            f"{html.escape(self.verdict.words)}"
            f'<div style="color:#444;font-size:.85rem">{self.progress()}</div></div>'
        )
