"""What is said to the user: the one exception whose message is written for them, and the language of our sentences.

It lies below all rooms, so that each of them may use it, and imports nothing of ours: who reads a language's sentences is put
in by the package, see __init__.py. Parses on an old Python.
"""

import os
import string

LANGUAGE = "EDU_DIFFUSION_LANGUAGE"  # the environment variable with the code of a language, such as de; English without it
TRANSLATIONS = {"": {}, "en": {}}  # code: {English sentence: its translation}, each read once


class EduError(ValueError):
    """What went wrong, what is allowed and what to do, in one sentence; shown without a traceback."""


def said(sentence, *values, **named):
    """Return a sentence in the language chosen, in English where it has no translation, with values in place of its {}."""
    translated = translations().get(sentence) or sentence
    if not (values or named):
        return translated
    try:
        return string.Formatter().vformat(translated, values, named)
    except Exception:  # a translation whose {} are not those of the sentence
        return string.Formatter().vformat(sentence, values, named)


def translations():
    """Return {English sentence: its translation} of the language chosen."""
    code = os.environ.get(LANGUAGE, "")
    if code not in TRANSLATIONS:
        TRANSLATIONS[code] = {}  # whatever is said while it is read is said in English
        TRANSLATIONS[code] = reader(code)
    return TRANSLATIONS[code]


def reader(code):
    """Read the sentences of a language; the package puts cli/languages.py in this place."""
    return {}
