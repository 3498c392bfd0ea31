"""What a learner should know about a prompt: words that no caption has, another program's syntax, a colour before a thing.

    advice("a pengiun on blue")     # ['The base model was not trained on the word "pengiun" (penguin?).']
    advice("a Katze on blue")       # ['The base model was not trained on the word "katze" (German for cat?).']

The model reads any text, but has learned only the words of its captions, `world().vocabulary`; and in this world a colour
names the background. Standard library only, beside the rest of data/.
"""

import functools
import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import EduError, said
from . import foreign, phrases, school, words
from .vocabulary import closeness, composed, is_known, named, nearest, split
from .world import world

EXAMPLE = "a cat face on a blue background"
CLIP = 40_000  # tokens: the original's tokenizer has 49,408, those of this world a few thousand
LISTED, LETTERS = 5, 30  # words, and letters of one word, that a sentence quotes at most
SURE = 0.85  # closeness() from which on it is offered besides what a word means in another language
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
    told = syntax(prompt)
    text = without_syntax(prompt)
    try:
        return told + unknown(text, "negative prompt" if negative else "prompt") + ([] if negative else coloured(text))
    except EduError as error:  # a picture does not need the data set
        return [*told, said("The prompt's words were not checked: {}", error)]


def without_syntax(prompt: str) -> str:
    return re.sub(r"<[^<>]*>|\bBREAK\b", ",", prompt)


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


def listed(texts: Sequence[object], between: str = ", ") -> str:
    """The first few texts, and how many there are besides."""
    more = said(" and {} more", len(texts) - LISTED) if len(texts) > LISTED else ""
    return between.join(map(str, texts[:LISTED])) + more


# ---------------------------------------------------------------- another program's syntax

def syntax(prompt: str) -> list[str]:
    """A sentence for each kind of syntax that other programs understand, about its first occurrence."""
    if prompt.isupper():  # then BREAK is a word like any other
        prompt = prompt.lower()
    found = [(re.search(pattern, prompt), instead) for pattern, instead in SYNTAX.items()]
    return [said('"{}" is read as text: {}.', shortened(hit[0]), said(instead, *hit.groups())) for hit, instead in found if hit]


# ---------------------------------------------------------------- unknown words

class Unknown(NamedTuple):
    """A word that no caption has, or a name of several words in another language, and what may be meant."""

    text: str
    offers: list[str]
    language: str  # of the first offer, or ""

    def __str__(self) -> str:
        text, offers = shortened(self.text), ", ".join(self.offers)
        if self.language and offers:
            return said('"{}" ({} for {}?)', text, said(self.language), offers)
        return f'"{text}"' + (f" ({offers}?)" if offers else "")


def unknown(prompt: str, what: str = "prompt") -> list[str]:
    """A sentence about the words that no caption has; what: how to call the prompt."""
    asked = [word for word in dict.fromkeys(split(prompt)) if not word.isdecimal()]
    new = [word for word in asked if not is_known(word)]
    return [_unknown_sentence(unknowns(prompt), 2 * len(new) > len(asked), what)] if new else []


def _unknown_sentence(new, mostly, what):
    """new: the Unknown. mostly: whether there are more unknown words than known ones."""
    these = said("the words {}", listed(new)) if len(new) > 1 else said("the word {}", listed(new))
    if not mostly or len(new) <= LISTED and all(item.offers for item in new):
        return said("The base model was not trained on {}.", these)
    named = [item for item in new if item.language]
    most = said("most words of this prompt") if what == "prompt" else said("most words of this negative prompt")
    most += said(", among them {}", listed(named)) if named else ""
    return said('The base model was not trained on {}, but on short English captions of emoji scenes only, such as "{}".',
                these if len(new) < 3 else most, EXAMPLE)


def unknowns(prompt: str) -> list[Unknown]:
    """What no caption has, in order, each once; only the first few get offers, which take time."""
    texts = split(prompt)
    named = {where.start: (where.stop, language, world().by_id[id].name) for where, language, id in foreign.found(texts, is_known)}
    found: dict[str, Unknown] = {}
    start = 0
    while start < len(texts):
        end, language, name = named.get(start, (start + 1, "", ""))
        text, start = " ".join(texts[start:end]), end
        if text not in found and (name or not (text.isdecimal() or is_known(text))):
            found[text] = Unknown(text, _offers(text, name) if name or len(found) < LISTED else [], language)
    return list(found.values())


def _offers(text, name):
    """What may be meant: first what a name in another language means in English, if it is one; nothing that a class refuses."""
    alike = [] if " " in text else nearest(text)
    if name:
        alike = [name, *(other for other in alike if closeness(text, other) > SURE and other not in name)]
    return school.allowed(alike)


def suggestions(tokenizer: Any, prompt: str) -> list[tuple[str, str]]:
    """(what is written, the word to try instead) for a model with this tokenizer; see for_model."""
    if len(tokenizer) >= CLIP:
        return []
    try:
        return [(item.text, offer) for item in unknowns(without_syntax(prompt)) for offer in item.offers]
    except EduError:  # advice() says so
        return []


def replaced(prompt: str, text: str, offer: str) -> str:
    """A prompt with another word in place of this one, in whatever case it is written."""
    word = r"[\W_]+".join(re.escape(part).replace("'", "['’]") for part in text.split())
    return re.sub(rf"(?<![^\W_]){word}(?![^\W_])", lambda _: offer, composed(prompt), flags=re.IGNORECASE)


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
    right = words.sentence(things()[thing], colour)
    instead = said('leave out "{}"', colour) if elsewhere else said('write "{}"', right)
    return said('A colour names the background in this world, not the thing: for "{} {}", {}.', colour, thing, instead)


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
    groups = {phrase.split(" ", 1)[1]: phrase for phrase in world().said.values() if phrase.startswith(("a ", "an ", "some "))}
    found = {words.plural(name): words.plural(name) for name in names} | {name: words.noun_phrase(name) for name in names}
    return {" ".join(split(name)): phrase for name, phrase in (found | groups | {words.THING: "a thing"}).items()}
