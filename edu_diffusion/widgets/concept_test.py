"""The concept test in a notebook: twelve questions with radio buttons, answered before and after a route."""

import html
from pathlib import Path
from typing import Any

import ipywidgets

from ..data import files
from ..errors import said
from .messages import message_html

__all__ = ["ConceptTest"]

TIMES = ("before", "after")
NOT_SURE = "I leave this out"


class ConceptTest(ipywidgets.VBox):
    """Twelve questions and a button that saves the answers; nothing is marked before the route is over.

    items: exercises.CONCEPTS. when: "before" or "after"; anything else raises ValueError. folder: where the answers are saved, as
    concepts_before.txt or concepts_after.txt, a line such as "ABCD-ABCDABC". Answers that were saved are shown again. After
    "after", each item says whether it was right, and what was gained.
    """

    def __init__(self, items: Any, when: str = "before", folder: str = ".") -> None:
        if when not in TIMES:
            raise ValueError(f'when is {when!r}; it must be "before" or "after" the lessons.')
        self.items, self.when, self.folder = items, when, Path(folder)
        saved = answers(self.path(when), len(items))
        self.choices = [choice(item, letter) for item, letter in zip(items, saved)]
        self.message = ipywidgets.HTML()
        button = ipywidgets.Button(description=said("Save my answers"))
        button.on_click(lambda _: self.save())
        rows = [part for n, (item, c) in enumerate(zip(items, self.choices), 1) for part in (question(n, item), c)]
        super().__init__([*rows, button, self.message])

    def path(self, when: str) -> Path:
        """The file of one of the two times."""
        return self.folder / f"concepts_{when}.txt"

    def letters(self) -> str:
        """The answers as a text of twelve letters; "-" for an item left out."""
        return "".join(choice.value or "-" for choice in self.choices)

    def save(self) -> None:
        """Save the answers and say so; after the lessons, say also what was right and what was gained."""
        files.write_bytes(self.path(self.when), f"{self.letters()}\n".encode())
        left = self.letters().count("-")
        done = said("Saved in {}.", self.path(self.when).name) + (said(" You left out {}.", left) if left else "")
        self.message.value = message_html(done) + ("" if self.when == "before" else self.result())

    def result(self) -> str:
        """Each item after the lessons: right or not, and whether it was before, as an HTML list."""
        before, after = answers(self.path("before"), len(self.items)), self.letters()
        lines = [outcome(*parts) for parts in zip(self.items, before, after)]
        return f"<ol>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ol>"


def question(number, item):
    return ipywidgets.HTML(f"<p style='margin:.8em 0 0'><b>{number}.</b> {html.escape(said(item.text))}</p>")


def choice(item, letter):
    """The options of an item as radio buttons, one of them to leave it out."""
    options = [(f"{key}  {said(text)}", key) for key, text in item.options.items()] + [(said(NOT_SURE), "")]
    wide = ipywidgets.Layout(width="auto")
    return ipywidgets.RadioButtons(options=options, value=letter if letter in item.options else "", layout=wide)


def answers(path, count):
    """The letters that were saved, or "-" for each item."""
    saved = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    return saved if len(saved) == count else "-" * count


def outcome(item, before, after):
    """What became of one item."""
    if after == item.right:
        return said("right") + ("" if before in (item.right, "-") else said(", and not before (you chose {})", before))
    if after not in item.misconceptions:
        return said("left out")
    return said("not {}: that would mean that {}; right is {}", after, said(item.misconceptions[after]), item.right)
