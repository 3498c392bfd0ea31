"""Judge learners' answers without trusting them: each runs in a small process of its own, and only numbers come back.

The right results, the comparison and the hint are made in this process (replies.py), from the exercises' own declarations, with
other cases than the lesson shows. See sandbox.py for what an answer cannot import or read there, confined.py and audit.py for
what it cannot do.

It is a guard against tricks, not a security boundary. It does not protect against compiled code that opens files by itself
(torch.from_file), against one who breaks out of Python, against an answer that somebody else wrote, and, as root, not against
many processes of an answer that gets round the audit hook. Judge the work of strangers on a computer that can be wiped.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from edu_diffusion.data import files
from edu_diffusion.errors import said, translations

from . import answers, replies, sandbox

PASSED_ON = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")  # of the environment
FORK = hasattr(os, "fork")  # Windows has none


class Limits(NamedTuple):
    """Of one answer. seconds: for its function. memory: bytes beyond what the libraries use. wall: seconds until it is killed."""

    seconds: float = 10.0
    memory: int = 1_500_000_000
    wall: float = 60.0
    start: float = 300.0  # seconds for the libraries to load, once


class Given(NamedTuple):
    """A learner's answer: a question, the pseudonym, the source of the cell."""

    question: answers.Question
    pseudonym: str
    source: str


LIMITS = Limits()


def judged(given, limits=LIMITS):
    """Return the Verdicts on answers, in their order. Only the processes run side by side: the rest changes seeds for a moment."""
    found = {place: verdict for place, answer in enumerate(given) if (verdict := at_once(answer))}
    groups = [Group(answers, limits) for answers in grouped([pair for pair in enumerate(given) if pair[0] not in found])]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for group, sent in zip(groups, pool.map(Group.replies, groups)):
            found |= {place: replies.compared(group.exercise, sent.get(place), *group.varied(place)) for place in group.answers}
    return [found[place] for place in range(len(given))]


def grouped(pairs):
    """Return {place: answer} for each question: its answers share what has to be loaded. One each where there is no fork."""
    groups = {}
    for place, answer in pairs:
        key = (answer.question.lesson, answer.question.name) if FORK else place
        groups.setdefault(key, {})[place] = answer
    return list(groups.values())


def at_once(answer):
    """Return the Verdict on an answer that need not run: nothing is written, no Python, a letter, a plain number; else None."""
    from edu_diffusion.exercises import EXERCISES, Exercise, Verdict, verdict

    exercise = EXERCISES[answer.question.name]
    own = f"my_{exercise.name}"
    if not answer.source:
        return Verdict(None, said("{} is not written yet.", own))
    try:
        ast.parse(answers.plain(answer.source))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Verdict(False, said("Not yet: {}", said("the cell is no Python: {}.", str(error)[:100])))
    if isinstance(exercise, Exercise):
        return None
    value = answers.constant(answer.source, own)
    return None if value is None else verdict(exercise.name, value)


def seed_of(answer):
    """A seed for the cases that is this learner's own, the same each time."""
    return 1 + zlib.crc32(f"{answer.pseudonym} {answer.question.name}".encode()) % 1_000_000


def drawn(exercise):
    """Whether the cases of an exercise have other right results with another seed; where not, they are varied otherwise."""
    from edu_diffusion.exercises.compare import agree
    from edu_diffusion.exercises.exercise import answers as results
    from edu_diffusion.exercises.other_cases import other_cases

    other = other_cases(exercise.cases, 1)
    return not agree(results(exercise.reference, other()), results(exercise.reference, exercise.cases()))


# ---------------------------------------------------------------- the processes


class Group:
    """The answers {place: Given} to one question, and the processes that run them."""

    def __init__(self, answers, limits):
        from edu_diffusion.exercises import EXERCISES, Exercise

        self.answers, self.limits = answers, limits
        self.question = next(iter(answers.values())).question
        self.exercise = EXERCISES[self.question.name]
        self.function = self.exercise if isinstance(self.exercise, Exercise) else None
        self.vary = bool(self.function) and not drawn(self.function)

    def varied(self, place):
        """The seed of the cases for one answer, and whether they are varied in another way as well."""
        return seed_of(self.answers[place]), self.vary

    def replies(self):
        """Run the answers in processes of their own; return {place: reply}."""
        with tempfile.TemporaryDirectory(prefix="answers-") as folder:
            copy, empty = Path(folder, "copy"), Path(folder, "empty")
            empty.mkdir()
            sandbox.package(copy, self.function, self.others().values())
            seconds = self.limits.start + self.limits.wall * len(self.answers)
            return replies.lines(started(self.job(str(copy), str(empty)), seconds))

    def others(self):
        """Return {name in the lesson: our function} for ed.use(...), without the one that is asked for."""
        from edu_diffusion.exercises import EXERCISES

        found = {name: getattr(EXERCISES[other], "reference", None) for name, other in self.question.uses.items()}
        own = getattr(self.function, "reference", None)
        return {name: part for name, part in found.items() if part is not own and part and part.__name__.isidentifier()}

    def job(self, copy, folder):
        """What confined.py gets to know: nothing of the right results."""
        sources = {place: source(self.exercise, answer) for place, answer in self.answers.items()}
        return {
            "imports": imports(self.question.imports, self.others(), sources.values()),
            "module": self.function.cases.__module__.rpartition(".")[2] if self.function else "",
            "cases": self.function.cases.__name__ if self.function else "",
            "vary": self.vary,
            "copy": copy,
            "folder": folder,
            "hidden": str(files.PACKAGE),
            "name": f"my_{self.exercise.name}",
            "fork": FORK,
            "sentences": machinery(),
            **self.limits._asdict(),
            "answers": [{"id": place, "source": sources[place], "seed": self.varied(place)[0]} for place in sources],
        }


def machinery():
    """Return {English sentence: translation} of what an answer's process says: none of the hints, which would give answers away."""
    from edu_diffusion.exercises import EXERCISES
    from edu_diffusion.exercises.sentences import sentences

    hints = {sentence for exercise in EXERCISES.values() for sentence in sentences(exercise)}
    return {sentence: words for sentence, words in translations().items() if sentence not in hints}


def source(exercise, answer):
    """Return what is run: the cell without IPython's commands; for arranged lines the function that they make."""
    letters = answers.arranged(answer.source, exercise.name)
    lines = in_order(exercise, letters) if letters else None
    return f"import torch\nfrom edu_diffusion.steps import *\n{lines}" if lines else answers.plain(answer.source)


def in_order(exercise, letters):
    """Return the lines of an exercise in a learner's order, as a text; None where the letters do not fit."""
    from edu_diffusion.exercises.lines import LETTERS, shuffled

    if not getattr(exercise, "lines", ()):
        return None
    first, *body = exercise.lines
    order = [letter for letter in letters.upper() if letter.isalnum()]
    if sorted(order) != list(LETTERS[: len(body)]):
        return None
    shown = shuffled(body, exercise.name)
    return "\n".join([first, *(shown[LETTERS.index(letter)] for letter in order)])


def imports(lesson, others, sources):
    """Return, as statements, the imports of the teacher's import cell and of our functions whose names one of the answers uses."""
    used = {name for text in sources for node in ast.walk(ast.parse(text)) if (name := getattr(node, "id", None))}
    found = [node for node in answers.statements(lesson) if isinstance(node, ast.Import | ast.ImportFrom)]
    ours = [f"from {part.__module__} import {part.__name__} as {name}" for name, part in others.items() if name in used]
    return [*(ast.unparse(node) for node in found if used.intersection(map(sandbox.bound, node.names))), *ours]


def started(job, seconds):
    """Start confined.py in the copy and return what it writes; nothing when it takes too long."""
    command = [sys.executable, "-P", "-B", str(Path(job["copy"], "edu_diffusion", "cli", "confined.py"))]
    own = {"HOME": job["folder"], "TMPDIR": job["folder"], "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1"}
    paths = [job["copy"], *(path for path in sys.path if path and Path(path).resolve() != files.PACKAGE.parent)]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | own
    environment |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUTF8": "1"}
    try:
        ended = subprocess.run(
            command, input=json.dumps(job).encode(), capture_output=True, timeout=seconds, env=environment, cwd=job["folder"]
        )
    except subprocess.TimeoutExpired as over:
        return over.stdout or b""
    return ended.stdout
