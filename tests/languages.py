"""Keep a language's file complete: what said() says, what is translated, and what is wrong with a translation.

    python3 tests/languages.py de             # lists what is missing, no longer said, or wrong
    python3 tests/languages.py de --update    # adds new sentences, puts aside those that are no longer said, keeps translations

A sentence that was changed keeps its old translation, marked as fuzzy: it is not used until somebody has looked at it and removed
the mark, in Poedit ("Needs work") or by deleting the line `#, fuzzy`. A new language begins with --update, too.
"""

import argparse
import ast
import datetime
import io
import re
import string
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from edu_diffusion import exercises  # noqa: E402
from edu_diffusion.cli import languages  # noqa: E402
from edu_diffusion.data import advice, files, foreign, school  # noqa: E402
from edu_diffusion.exercises import box, concepts, explain, parts, relations, substitute  # noqa: E402
from edu_diffusion.exercises.sentences import sentences  # noqa: E402
from edu_diffusion.figures import map as map_  # noqa: E402

DATA = {"checkpoints", "datasets", "notebooks", "languages"}
SAME = {"U-Net", "Prompt", "Guidance", '"a cat face ..."'}  # sentences that may be the same in another language
WIDTH = 100
SHOWN = 30  # lines of what is wrong
HEADER = "# What edu_diffusion says, in the language {}. Under the package's licence."
BEGUN = datetime.datetime(2026, 11, 28, tzinfo=datetime.UTC)  # no date of today, which would change the file each time
OWNER = dict.fromkeys(("last_translator", "language_team", "msgid_bugs_address", "copyright_holder"), "the edu_diffusion authors")
OWNER |= {"project": "edu_diffusion", "version": "0.1"}


def banks():
    """(comment, sentence) of every exercise, lesson by lesson."""
    for lesson, module in exercises.MODULES.items():
        yield from ((f"lesson {lesson[:2]}", sentence) for exercise in module.EXERCISES for sentence in sentences(exercise))


def concept_test():
    return [text for item in concepts.CONCEPTS for text in (item.text, *item.options.values(), *item.misconceptions.values())]


TABLES = (  # a comment, sentences that are not literals where they are said, the expressions that say them
    ("concept test", concept_test, {"cli/concepts.py": "item.text text v", "cli/report.py": "item.text belief",
                                    "widgets/concept_test.py": "item.text text item.misconceptions[after]"}),
    ("errors of Python and torch", lambda: [words for _, words in explain.MEANINGS], {"exercises/explain.py": "words"}),
    ("what a number was taken for", lambda: [words for words, _ in substitute.NUMBERS + substitute.TENSORS],
     {"exercises/substitute.py": "words"}),
    ("weights of a sum", lambda: [words for words, _ in relations.KINDS], {"exercises/relations.py": "words"}),
    ("parts of a result", lambda: [words for words, _ in parts.ALONG], {"exercises/parts.py": "words"}),
    ("name of an icon", lambda: [name for _, name, *_ in box.LOOKS.values()], {"exercises/box.py": "name"}),
    ("map of the pipeline", lambda: [words for *_, words in map_.PARTS.values()], {"figures/map.py": "words"}),
    ("advice on a prompt", lambda: [*advice.SYNTAX.values(), *foreign.LANGUAGES.values()],
     {"data/advice.py": "instead self.language"}),
    ("why a class does not draw something", lambda: sorted({row["reason"] for row in school.rows()}), {"data/school.py": "reason"}),
)  # fmt: skip
OF_BANKS = {
    "exercises/choices.py": "question.words[letter] question.praise words",
    "exercises/exercise.py": "exercise.praise exercise.note words",
    "cli/replies.py": "exercise.praise",
}


# ---------------------------------------------------------------- what is said


def calls(tree):
    """Yield the first argument of every said(...) in a file that imports it from errors.py."""
    ours = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("errors")]
    if any(alias.name == "said" for node in ours for alias in node.names):
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "said"]
        yield from (node.args[0] for node in sorted(found, key=lambda node: (node.lineno, node.col_offset)))


def constants(tree):
    """{name: text} of the texts that a file gives a name at its top."""
    named = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)]
    return {ast.unparse(node.targets[0]): node.value.value for node in named if isinstance(node.value.value, str)}


def literals(source):
    """([the sentences of a file that stand in said(...), or have a name at its top], [its other expressions there])."""
    tree = ast.parse(source)
    named, found, others = constants(tree), [], []
    for argument in calls(tree):
        text = argument.value if isinstance(argument, ast.Constant) else named.get(ast.unparse(argument))
        found.append(text) if text is not None else others.append(ast.unparse(argument))
    return found, others


def sources():
    """{path in the package: its source} of every file that says something."""
    paths = [p.relative_to(files.PACKAGE) for p in sorted(files.PACKAGE.rglob("*.py"))]
    texts = {p.as_posix(): (files.PACKAGE / p).read_text(encoding="utf-8") for p in paths if p.parts[0] not in DATA}
    return {file: text for file, text in texts.items() if re.search(r"errors import .*\bsaid\b", text)}


def uncollected():
    """["file: expression"] that are said, and of which no table here knows the sentences."""
    known = {
        (file, words) for where in (OF_BANKS, *(where for *_, where in TABLES)) for file in where for words in where[file].split()
    }
    return [f"{file}: {words}" for file, text in sources().items() for words in literals(text)[1] if (file, words) not in known]


def messages():
    """{sentence: comment} of everything that is said, the exercises first, in their order."""
    of_tables = ((comment, sentence) for comment, table, _ in TABLES for sentence in table())
    of_files = ((file, sentence) for file, text in sources().items() for sentence in literals(text)[0])
    found: dict[str, str] = {}
    for comment, sentence in (*banks(), *of_tables, *of_files):
        found.setdefault(sentence, comment)
    return found


# ---------------------------------------------------------------- the file


def path(code):
    return languages.FOLDER / f"{code}.po"


def read(code):
    """The catalog of a language, an empty one where there is none yet."""
    if not path(code).is_file():
        return Catalog(code, header_comment=HEADER.format(code), creation_date=BEGUN, revision_date=BEGUN, **OWNER, fuzzy=False)
    return read_po(io.BytesIO(path(code).read_bytes()), abort_invalid=True)


def template():
    """A catalog of all sentences without translations."""
    made = Catalog(fuzzy=False)
    for sentence, comment in messages().items():
        made.add(sentence, auto_comments=[comment])
    return made


def update(catalog):
    """Add what is new, put aside what is no longer said, keep what is translated."""
    catalog.update(template(), update_creation_date=False)
    for message in catalog:
        message.flags.discard("python-format")  # a % in these sentences is a percentage


def text(catalog):
    """The content of the file."""
    made = io.BytesIO()
    write_po(made, catalog, width=WIDTH, include_previous=False)
    return made.getvalue()


# ---------------------------------------------------------------- what is wrong


def fields(sentence):
    """The {} of a sentence, numbered: "{} {:g}" -> ["0", "1:g"]."""
    found, number = [], 0
    for _, name, spec, conversion in string.Formatter().parse(sentence):
        if name is not None:
            own = name or str(number)
            number += not name
            found.append(own + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else ""))
    return sorted(found)


PATTERNS = {"code in `backticks`": r"`[^`]+`", "names": r"\bmy_\w+", "numbers": r"\d+(?:[.,]\d+)*"}


def differences(english, other):
    """Yield what the two do not have in common and should."""
    try:
        if fields(english) != fields(other):
            yield "the {} differ"
    except ValueError:
        yield "a brace is alone"
    for what, pattern in PATTERNS.items():
        plain = [re.sub(r"\{[^{}]*\}", "{}", side) for side in (english, other)]
        if len({tuple(sorted(re.findall(pattern, side))) for side in plain}) > 1:
            yield f"{what} differ"
    if english == other and english not in SAME and re.search("[A-Za-z]{2}", english):
        yield "it is not translated, it is the same"
    for side in (str.lstrip, str.rstrip):
        if english.replace(side(english), "#", 1) != other.replace(side(other), "#", 1):
            yield "the spaces around it differ"


def faults(catalog, wanted):
    """Sentences about everything that is wrong with a catalog; wanted: the sentences that are said."""
    there = {message.id: message for message in catalog if message.id}
    for sentence in wanted:
        message = there.get(sentence)
        if message is None or not message.string:
            yield f"not translated: {sentence!r}"
        elif message.fuzzy:
            yield f"changed, to be looked at again: {sentence!r}"
        else:
            yield from (f"{what}: {sentence!r} - {message.string!r}" for what in differences(sentence, message.string))
    gone = [*(sentence for sentence in there if sentence not in wanted), *catalog.obsolete]
    yield from (f"no longer said: {sentence!r}" for sentence in gone)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("language", metavar="CODE", help="such as de")
    options.add_argument("--update", action="store_true", help="write the file")
    options.add_argument("--tidy", action="store_true", help="write the file without what is no longer said")
    asked = options.parse_args()
    catalog = read(asked.language)
    if asked.update or asked.tidy:
        update(catalog)
        if asked.tidy:
            catalog.obsolete.clear()
        path(asked.language).parent.mkdir(exist_ok=True)
        files.write_bytes(path(asked.language), text(catalog))
    found = [*(f"no table of this program has its sentences: {place}" for place in uncollected()), *faults(catalog, messages())]
    more = [f"... and {len(found) - SHOWN} more"] * (len(found) > SHOWN)
    print("\n".join([*found[:SHOWN], *more]) or f"{path(asked.language)}: complete")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
