"""What a learner should know about a prompt: words that no caption has, another program's syntax, a colour before a thing.

    advice("a pengiun on blue")     # ['The base model was not trained on the word "pengiun" (penguin?).']

The model reads any text, but has learned only the words of its captions, `world().vocabulary`; and in this world a colour
names the background. Standard library only, beside the rest of data/.
"""

import difflib
import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import EduError
from . import phrases, subject, words
from .world import world

EXAMPLE = "a cat face on a blue background"
CLIP = 40_000  # tokens: the original's tokenizer has 49,408, those of this world a few thousand
LISTED, LETTERS = 5, 30  # words, and letters of one word, that a sentence quotes at most
CLOSE = 0.75  # difflib's ratio from which on a known word is offered
SWAPPED, PREFERRED = 0.2, 0.05  # added to it if only the order differs, and for a word that names a core concept
FILLERS = set(  # words, and letters, that name nothing to draw in an English sentence; "under" matters, so it is reported
    "am are as be been but can could did do does don't had has have he her him his how i i'm i've if is it it's its kind "
    "me my our she should so some than that their them then there these they this those too us was we were what when which "
    "while who will would you your one four five six seven eight nine ten b c d e f g h j k l m n o p q r s t u v w x y z".split())
SYNTAX = {  # what other programs understand -> what to do here
    r"\([^()]*:\s*-?\d*\.?\d+\s*\)|\(\([^()]+\)\)|\[[^\[\]]+\]":
        "weights and brackets mean nothing here; write plain words, and raise the guidance to follow all of them more closely",
    r"\bBREAK\b": "a prompt is never split here; write one short sentence",
    r"<(?:lora|lyco):([^<>:]*)[^<>]*>": 'a LoRA is loaded with load_lora(pipe, "{}")',
    r"<hypernet:([^<>:]*)[^<>]*>": 'a hypernetwork is loaded with load_hyper("{}", pipe)',
}
BEFORE = ("on", "over", "against", "front of", "top of", "background", "backdrop", "bg", "is")  # "on blue", "in front of blue"
AFTER = ("background", "backdrop", "bg", "wall", "behind")  # "blue background", "blue behind it"
HUES = {*words.COLOURS, "grey"}


def advice(prompt: str, negative: bool = False) -> list[str]:
    """Sentences about a prompt; none for a caption of this world.

    negative: whether it is a negative prompt, in which a colour may be meant for anything.
    """
    said = syntax(prompt)
    text = re.sub(r"<[^<>]*>|\bBREAK\b", ",", prompt)
    try:
        return said + unknown(text, "negative prompt" if negative else "prompt") + ([] if negative else coloured(text))
    except EduError as error:  # a picture does not need the data set
        return [*said, f"The prompt's words were not checked: {error}"]


def for_model(tokenizer: Any, prompt: str, negative: bool = False) -> list[str]:
    """advice() for a model with this tokenizer: one as large as the original's knows more words than those of this world."""
    return advice(prompt, negative) if len(tokenizer) < CLIP else syntax(prompt)


def dropped(tokenizer: Any, prompt: str) -> str:
    """The words that are not read, or only in part, because a prompt is longer than the text encoder's input; "" if none."""
    texts = prompt.split()
    ends = itertools.accumulate(len(tokenizer(text, add_special_tokens=False, verbose=False).input_ids) for text in texts)
    return listed([shortened(text) for text, end in zip(texts, ends) if end > tokenizer.model_max_length - 2], " ")


def shortened(text: str) -> str:
    return text if len(text) <= LETTERS else text[:LETTERS - 1] + "…"


def listed(texts: Sequence[str], between: str = ", ") -> str:
    """The first few texts, and how many there are besides."""
    more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return between.join(texts[:LISTED]) + more


# ---------------------------------------------------------------- another program's syntax

def syntax(prompt: str) -> list[str]:
    """A sentence for each kind of syntax that other programs understand, about its first occurrence."""
    if prompt.isupper():  # then BREAK is a word like any other
        prompt = prompt.lower()
    found = [(re.search(pattern, prompt), instead) for pattern, instead in SYNTAX.items()]
    return [f'"{shortened(hit[0])}" is read as text: {instead.format(*hit.groups())}.' for hit, instead in found if hit]


# ---------------------------------------------------------------- unknown words

def unknown(prompt: str, what: str = "prompt") -> list[str]:
    """A sentence about the words that no caption has; what: how to call the prompt."""
    asked = [word for word in dict.fromkeys(split(prompt)) if not word.isdecimal()]
    new = [word for word in asked if not is_known(word)]
    return [_unknown_sentence(new, 2 * len(new) > len(asked), what)] if new else []


def _unknown_sentence(new, mostly, what):
    """new: the unknown words. mostly: whether there are more of them than of the known ones."""
    offers = {word: nearest(word) for word in new[:LISTED]}
    quoted = [f'"{shortened(word)}"' + (f" ({', '.join(offers[word])}?)" if offers.get(word) else "") for word in new]
    these = f"the word{'s' * (len(new) > 1)} {listed(quoted)}"
    if not mostly or len(new) <= LISTED and all(offers.values()):
        return f"The base model was not trained on {these}."
    return (f"The base model was not trained on {these if len(new) < 3 else f'most words of this {what}'}, "
            f'but on short English captions of emoji scenes only, such as "{EXAMPLE}".')


def split(text: str) -> list[str]:
    """The lower-case words of a text, as phrases.split but in order, in any script, and without quotation marks."""
    return re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.lower().replace("’", "'"))


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
    return words_of("core", "wide") | phrases.vocabulary() | {word for said in world().said.values() for word in split(said)}


@functools.cache
def words_of(*tiers: str) -> set[str]:
    """The words in the names of these tiers."""
    return {word for name in itertools.chain(*named(*tiers)) for word in split(name)}


# ---------------------------------------------------------------- colours

def coloured(prompt: str) -> list[str]:
    """A sentence about the first colour that stands before a thing, unless it names the background as well."""
    clauses = [split(clause) for clause in re.split(r"[^\w\s'’-]+|\s-+\s", prompt)]
    grounds = {plain(clause[i]) for clause in clauses for i in range(len(clause)) if is_ground(clause, i)}
    found = [(clause[i], thing) for clause in clauses for i in range(len(clause))
             if plain(clause[i]) not in grounds and (thing := thing_after(clause, i))]
    return [_colour_sentence(*found[0], bool(grounds))] if found else []


def _colour_sentence(colour, thing, elsewhere):
    """What to write instead. elsewhere: whether the prompt names another background."""
    instead = f'leave out "{colour}"' if elsewhere else f'write "{words.sentence(things()[thing], colour)}"'
    return f'A colour names the background in this world, not the thing: for "{colour} {thing}", {instead}.'


def plain(colour: str) -> str:
    return "gray" if colour == "grey" else colour


def is_ground(clause: Sequence[str], i: int) -> bool:
    """Whether word i is a colour that names the background: "on blue", "on a plain blue wall"."""
    before = " ".join(["", *(word for word in clause[:i] if word not in phrases.SHADES)])
    return clause[i] in HUES and (before.endswith(tuple(f" {word}" for word in BEFORE)) or " ".join(clause[i + 1:i + 2]) in AFTER)


def thing_after(clause: Sequence[str], i: int) -> str:
    """The thing that word i, a colour, stands before; "" if there is none, or if the colour is part of its name."""
    if clause[i] not in HUES or any(len(name) > 1 for start in range(max(i - longest(), 0), i + 1)
                                    for name in names_at(clause, start) if start + len(name) > i):
        return ""
    return " ".join([[], *names_at(clause, i + 1)][-1])


def names_at(clause: Sequence[str], start: int) -> list[Sequence[str]]:
    """The names of things that begin with this word, the longest last."""
    ends = range(start + 1, min(start + longest(), len(clause)) + 1)
    return [clause[start:end] for end in ends if " ".join(clause[start:end]) in things()]


@functools.cache
def longest() -> int:
    return max(len(name.split()) for name in things())


@functools.cache
def things() -> dict[str, str]:
    """Names, aliases, plurals and categories, in lower case -> the noun phrase: {"dog": "a dog", "dogs": "dogs", ...}."""
    names = list(itertools.chain(*named("core", "wide", "heldout")))
    groups = {said.split(" ", 1)[1]: said for said in world().said.values() if said.startswith(("a ", "an ", "some "))}
    found = {words.plural(name): words.plural(name) for name in names} | {name: words.noun_phrase(name) for name in names}
    return {" ".join(split(name)): phrase for name, phrase in (found | groups | {words.THING: "a thing"}).items()}
