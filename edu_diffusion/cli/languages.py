"""The languages that the package speaks: English, and one for each file in edu_diffusion/languages, such as de.po.

A .po file holds English sentences and their translations; Poedit and Weblate edit it. Code says a sentence by `said` of
errors.py, which looks it up in what `read` returns. A language may also have lessons of its own, in notebooks/<code>/.
"""

import os
import re
import sys

from edu_diffusion.data import files
from edu_diffusion.errors import LANGUAGE, EduError, said

FOLDER = files.PACKAGE / "languages"
ENGLISH = "en"


def available():
    """The codes of the languages, English first."""
    return [ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.po"))]


def chosen():
    """The code of the language that is spoken; English for one that there is not."""
    code = os.environ.get(LANGUAGE, ENGLISH)
    return code if code in available() else ENGLISH


def switch(code):
    """Speak a language in this process and those that it starts; None leaves it as it is. Raises EduError for an unknown one."""
    if code is None:
        return
    if code not in available():
        raise EduError(f"there is no language {code!r}; there are {', '.join(available())}")
    os.environ[LANGUAGE] = code


def pattern(sentence, value=r"\w+"):
    """Return the regular expression of a sentence, with that of a value, a word, in place of each {}."""
    return re.escape(sentence).replace(r"\{\}", value)


def read(code):
    """Return {English sentence: translation}; nothing, and one warning, where there is no such language or its file is damaged."""
    try:
        return catalog(FOLDER / f"{code}.po")
    except Exception as error:  # whatever it is, a check goes on in English
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        what = f"cannot be read ({reason:.200})" if code in available() else f"is not one of {', '.join(available())}"
        print(f"edu_diffusion: the language {code!r} {what}; sentences are in English.", file=sys.stderr)
        return {}


def catalog(path):
    """Return the translations in a .po file, without those that wait for a review. Raises where it is damaged."""
    from babel.messages.pofile import read_po

    lines = path.read_text(encoding="utf-8").splitlines()
    cut = [number for number, line in enumerate(lines, 1) if line and not line.startswith("#") and not line.endswith('"')]
    if cut:
        raise ValueError(f"line {cut[0]} has no end")  # read_po would drop its last letter
    messages = read_po(lines, abort_invalid=True)
    return {m.id: m.string for m in messages if m.id and isinstance(m.string, str) and m.string and not m.fuzzy}


# ---------------------------------------------------------------- lessons


def folders(notebooks):
    """The folders with lessons of other languages, {code: path}."""
    return {code: notebooks / code for code in available() if (notebooks / code).is_dir()}


def own(path):
    """The lesson in the language that is spoken in place of an English one, which is returned where there is none."""
    translated = path.parent / chosen() / path.name
    return translated if translated.is_file() else path


def told(notebooks):
    """The sentence that says which lessons are in the language that is spoken; None for English."""
    if chosen() == ENGLISH:
        return None
    there = sorted(path.stem for path in (notebooks / chosen()).glob("*.ipynb"))
    if not there:
        return said("All lessons are in English; their hints are in your language.")
    return said(
        "In your language: {lessons}; the other lessons are in English, their hints in your language.", lessons=", ".join(there)
    )


def folder(notebooks):
    """The folder with the lessons of the language that is spoken. Raises EduError where it has none."""
    found = notebooks if chosen() == ENGLISH else notebooks / chosen()
    if not found.is_dir():
        raise EduError(f"there are no lessons in {found}; translated are those of {', '.join(folders(notebooks)) or 'no language'}")
    return found
