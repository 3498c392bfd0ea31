"""The words that captions have, and which of them a word that none has may be a misspelling of.

Standard library only, beside the rest of data/.
"""

import difflib
import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator

from . import phrases, subject, words
from .world import world

CLOSE = 0.75  # difflib's ratio from which on a known word is offered
SWAPPED, PREFERRED = 0.2, 0.05  # added to it if only the order differs, and for a word that names a core concept
FILLERS = set(  # words, and letters, that name nothing to draw in an English sentence; "under" matters, so it is reported
    "am are as be been but can could did do does don't had has have he her him his how i i'm i've if is it it's its kind "
    "me my our she should so some than that their them then there these they this those too us was we were what when which "
    "while who will would you your one four five six seven eight nine ten b c d e f g h j k l m n o p q r s t u v w x y z".split()
)


def split(text: str) -> list[str]:
    """The lower-case words of a text, as phrases.split but in order, in any script, and without quotation marks."""
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", composed(text).lower().replace("’", "'"))


def composed(text: str) -> str:
    """A text whose accents are parts of their letters, as they are not where a Mac has named a file."""
    return unicodedata.normalize("NFC", text.replace("İ", "I"))  # in lower case it would be two characters


def is_known(word: str) -> bool:
    """Whether captions have the word, or all parts of it: the tokenizer splits "heart-shaped" and "dog's" as well."""
    return word in known() or all(part in known() or part in FILLERS for part in re.split("['-]", word))


@functools.cache
def known() -> set[str]:
    """The words of all captions, and those that the lessons teach; with accents, unlike world().vocabulary."""
    return world().vocabulary | words_of("core", "wide") | {words.NEW_STYLE, subject.TOKEN}


def named(*tiers: str) -> Iterator[tuple[str, ...]]:
    """The name and the aliases of every concept of these tiers."""
    return ((concept.name, *concept.aliases) for concept in world().concepts if concept.tier in tiers)


def nearest(word: str) -> list[str]:
    """Up to three known words that are spelled almost alike, the likeliest first; see closeness."""
    found = difflib.get_close_matches(word, offered(), 20, CLOSE)
    alike = [other for other in found if other[0] == word[0] and abs(len(other) - len(word)) <= 2]
    return sorted(alike, key=lambda other: closeness(word, other), reverse=True)[:3]


def closeness(word: str, other: str) -> float:
    """difflib's ratio, and more if the letters are the same in another order, or the word names a core concept."""
    same = sorted(word) == sorted(other)
    return difflib.SequenceMatcher(None, other, word).ratio() + SWAPPED * same + PREFERRED * (other in words_of("core"))


@functools.cache
def offered() -> set[str]:
    """The known words in the singular."""
    return words_of("core", "wide") | phrases.vocabulary() | {word for phrase in world().said.values() for word in split(phrase)}


@functools.cache
def words_of(*tiers: str) -> set[str]:
    """The words in the names of these tiers."""
    return {word for name in itertools.chain(*named(*tiers)) for word in split(name)}
