"""Names of this world's things in other languages: which English word a learner may have meant by "Katze".

    found(["une", "tête", "de", "chien"], known)   # [(slice(1, 4), "French", "1f436")]

Source: datasets/emoji/names.csv, from Unicode CLDR (its README.md says which version, and under which licence).
Case and accents are ignored. Standard library only.
"""

import collections
import csv
import functools
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from .checksums import checked

LANGUAGES = {"de": "German", "fr": "French", "es": "Spanish", "tr": "Turkish", "uk": "Ukrainian"}
SAME = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "œ": "oe", "æ": "ae", "’": "'", "ʼ": "'", "-": " "})  # others decompose
ENDINGS = {  # of plurals and cases
    "German": ("n", "en", "e", "er", "s"),
    "French": ("s", "x"),
    "Spanish": ("s", "es"),
    "Turkish": ("lar", "ler", "i", "yi", "u", "yu"),
    "Ukrainian": (),
}
SHORTEST = 3  # letters of a name to which an ending may be added


def fold(text: str) -> str:
    """A text without case, accents and kinds of apostrophe: "Kürbis" -> "kurbis", "İnek" -> "inek"."""
    letters = unicodedata.normalize("NFKD", text.casefold()).translate(SAME)
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


@functools.cache
def names() -> dict[str, dict[str, str]]:
    """{folded name: {language: concept id}} of all names, the languages in their order."""
    read: dict[str, dict[str, str]] = collections.defaultdict(dict)
    with open(checked("emoji") / "names.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            read[fold(row["name"])][LANGUAGES[row["language"]]] = row["id"]
    return dict(read)


@functools.cache
def longest() -> int:
    """The number of words in the longest name."""
    return max(len(name.split()) for name in names())


def meanings(name: str) -> dict[str, str]:
    """{language: concept id} of what a name, or its plural, may mean."""
    folded = fold(name)
    return names().get(folded) or {
        language: ids[language]
        for language, endings in ENDINGS.items()
        for ending in endings
        if folded.endswith(ending) and len(folded) >= SHORTEST + len(ending)
        if language in (ids := names().get(folded.removesuffix(ending), {}))
    }


def runs(words: Sequence[str], known: Callable[[str], bool]) -> Iterator[tuple[slice, dict[str, str]]]:
    """Yield (which words, their meanings) from left to right, the longest name first; not where all the words are known."""
    start = 0
    while start < len(words):
        ends = range(min(start + longest(), len(words)), start, -1)
        named = ((end, ids) for end in ends if (ids := meanings(" ".join(words[start:end]))))
        end, here = next(named, (start + 1, {}))
        if here and not all(map(known, words[start:end])):
            yield slice(start, end), here
        start = end


def found(words: Sequence[str], known: Callable[[str], bool]) -> list[tuple[slice, str, str]]:
    """(which words, language, concept id) of each name; of several languages the one that has most of the names.

    known: whether a word needs no explanation.
    """
    named = list(runs(words, known))
    counts = collections.Counter(language for _, ids in named for language in ids)
    best = [max(ids, key=counts.__getitem__) for _, ids in named]
    return [(where, language, ids[language]) for (where, ids), language in zip(named, best)]
