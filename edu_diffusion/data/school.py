"""The school switch: with EDU_DIFFUSION_SCHOOL=1, prompts that name a listed thing are refused with a friendly sentence.

    school.check("a bomb on blue")      # EduError: In this class "bomb" is not drawn (weapon); choose something else, ...

Prompts are refused where they are typed, and again where a pipeline turns them into tokens (models/prompts.py); scenes and the
frozen prompts leave out what is listed, so that no lesson asks for it by itself.

The list is datasets/emoji/school.csv: a reason, a word, and the concept that the word names, if it is one of this world. It is a
list of words, not a judgement: a misspelled word is not found, and an open prompt such as "a thing" may still show anything
that the model has learned, which is why a teacher approves every picture of the wall. Standard library only.
"""

import csv
import functools
import os
import random
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import EduError, said
from . import words
from .checksums import checked

SWITCH = "EDU_DIFFUSION_SCHOOL"
EXAMPLE = "a cat face on a blue background"


def on() -> bool:
    """Whether this process runs for a school class."""
    return os.environ.get(SWITCH) == "1"


def switch(asked: bool) -> None:
    """Turn the switch on for this process and those that it starts, such as JupyterLab and its kernels, if that is asked."""
    if asked:
        os.environ[SWITCH] = "1"


def check(*prompts: str | Iterable[str]) -> None:
    """Raise EduError for the first prompt with a listed word; without the switch nothing is refused.

    prompts: texts, or lists of texts; anything else in them is for others to refuse.
    """
    for text in texts(prompts) if on() else ():
        found = refused(text)
        if found:
            word, reason = found
            raise EduError(
                said('In this class "{}" is not drawn ({}); choose something else, such as "{}".', word, said(reason), EXAMPLE)
            )


def allowed(texts: Iterable[str]) -> list[str]:
    """Those of some texts that are not refused; without the switch all of them."""
    return [text for text in texts if not (on() and refused(text))]


def texts(prompts: Iterable[Any]) -> Iterable[str]:
    """The texts among some values, also those inside lists and tuples."""
    for prompt in prompts:
        if isinstance(prompt, str):
            yield prompt
        elif isinstance(prompt, (list, tuple)):
            yield from texts(prompt)


@functools.lru_cache(10_000)
def refused(text: str) -> tuple[str, str] | None:
    """(word, reason) of the first listed word or picture character in a text; None where there is none.

    The longest name counts: "fork and knife" is a thing of its own, although "knife" is listed.
    """
    character = next((c for c in text if c in listed_characters()), None)
    if character:
        return character, listed_characters()[character]
    parts = split(text)
    start = 0
    while start < len(parts):
        name = longest(parts[start:])
        if name in listed():
            return " ".join(name), listed()[name]
        start += max(1, len(name))
    return None


def longest(parts: list[str]) -> tuple[str, ...]:
    """The longest name, listed or allowed, with which these words begin; () if there is none."""
    names = (tuple(parts[:length]) for length in range(longest_name(), 0, -1))
    return next((name for name in names if name in listed() or name in allowed_names()), ())


def split(text: str) -> list[str]:
    """The lower-case words of a text; letters in another form ("ｂｏｍｂ"), accents and invisible characters do not hide one."""
    letters = unicodedata.normalize("NFKD", text)
    seen = "".join(c for c in letters if unicodedata.category(c) not in ("Cf", "Mn"))
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", seen.casefold().replace("’", "'"))


# ---------------------------------------------------------------- concepts that may be drawn


def excluded() -> set[str]:
    """The ids of the concepts on the list."""
    return {row["id"] for row in rows() if row["id"]}


def concepts(tier: str = "core") -> list[str]:
    """The names of a tier's concepts, in the order of captions.csv; with the switch, without those on the list."""
    out = excluded() if on() else set()
    return [row["name"] for row in captions() if row["tier"] == tier and row["id"] not in out]


def surprise(seed: int) -> str:
    """A prompt that names a familiar concept and a background, the same for the same seed; see `concepts`."""
    choose = random.Random(seed).choice
    return words.caption(choose(concepts()), choose(list(words.COLOURS)))


# ---------------------------------------------------------------- a door


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, which checks every text that it is given; unchanged without the switch."""
    if not on():
        return function

    @functools.wraps(function)
    def careful(*arguments: Any, **named: Any) -> Any:
        check(arguments, list(named.values()))
        return function(*arguments, **named)

    return careful


# ---------------------------------------------------------------- the files


@functools.cache
def rows() -> list[dict[str, str]]:
    """The rows of school.csv: reason, word, id."""
    return read("school.csv")


@functools.cache
def captions() -> list[dict[str, str]]:
    """The rows of captions.csv."""
    return read("captions.csv")


def read(name: str) -> list[dict[str, str]]:
    with open(checked("emoji") / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def listed() -> dict[tuple[str, ...], str]:
    """{words of a listed name, or of its plural: reason}."""
    return {tuple(split(form)): row["reason"] for row in rows() for form in (row["word"], words.plural(row["word"]))}


@functools.cache
def listed_characters() -> dict[str, str]:
    """{emoji: reason} of the concepts on the list."""
    reasons = {row["id"]: row["reason"] for row in rows()}
    return {row["character"][0]: reasons[row["id"]] for row in captions() if row["id"] in excluded()}


@functools.cache
def allowed_names() -> set[tuple[str, ...]]:
    """The words of every name and alias, and of its plural, of the concepts that are not on the list."""
    allowed = [row for row in captions() if row["id"] not in excluded()]
    names = [name for row in allowed for name in (row["name"], *filter(None, row["aliases"].split("|")))]
    return {tuple(split(form)) for name in names for form in (name, words.plural(name))}


@functools.cache
def longest_name() -> int:
    """How many words the longest name has."""
    return max(map(len, [*listed(), *allowed_names()]))
