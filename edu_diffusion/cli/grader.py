"""Judge learners' answers without trusting them: each runs in a small process of its own, and only numbers come back.

The right results, the comparison and the hint are made here, from the exercises' own declarations, with other cases than the
lesson shows. See sandbox.py for what an answer cannot import or read there, confined.py and audit.py for what it cannot do.

It is a guard against tricks, not a security boundary. It does not protect against compiled code that opens files by itself
(torch.from_file), against one who breaks out of Python, against an answer that somebody else wrote, and, as root, not against
many processes of an answer that gets round the audit hook. Judge the work of strangers on a computer that can be wiped.
"""

import ast
import json
import math
import os
import subprocess
import sys
import tempfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from edu_diffusion.data import files

from . import answers, sandbox

PASSED_ON = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")  # of the environment
FORK = hasattr(os, "fork")  # Windows has none
LONGEST = 700  # characters of a hint
BROKEN = "the cell is no Python: {0}."


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
        for group, replies in zip(groups, pool.map(Group.replies, groups)):
            found |= {place: compared(group.exercise, replies.get(place), *group.varied(place)) for place in group.answers}
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
        return Verdict(None, f"{own} is not written yet.")
    try:
        ast.parse(answers.plain(answer.source))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Verdict(False, f"Not yet: {BROKEN.format(str(error)[:100])}")
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
            return lines(started(self.job(str(copy), str(empty)), seconds))

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
            **self.limits._asdict(),
            "answers": [{"id": place, "source": sources[place], "seed": self.varied(place)[0]} for place in sources],
        }


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


def lines(text):
    """Return {place: reply} from the lines of JSON; a place with two lines has none, since one of them is forged."""
    found, twice = {}, set()
    for line in text.splitlines():
        try:
            reply = json.loads(line)
            place = reply.pop("id")
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            continue
        twice |= {place} & set(found)
        found[place] = reply
    return {place: reply for place, reply in found.items() if place not in twice}


# ---------------------------------------------------------------- the comparison


def compared(exercise, reply, seed, vary):
    """Return the Verdict on what an answer sent back."""
    from edu_diffusion.exercises import Exercise, Verdict, verdict

    if not isinstance(reply, dict) or "fault" in reply:
        fault = str(reply["fault"]) if isinstance(reply, dict) else "it ended Python, or took too long."
        return Verdict(False, f"Not yet: {fault[:LONGEST]}")
    if not isinstance(exercise, Exercise):
        value = reply.get("value")
        return verdict(exercise.name, value if type(value) in (str, int, float) else None)
    return compared_function(exercise, reply, seed, vary)


def compared_function(exercise, reply, seed, vary):
    from edu_diffusion.exercises import Verdict
    from edu_diffusion.exercises.careful import Fault
    from edu_diffusion.exercises.compare import agree
    from edu_diffusion.exercises.exercise import answers as results
    from edu_diffusion.exercises.exercise import hint
    from edu_diffusion.exercises.other_cases import other_cases

    other = exercise._replace(cases=other_cases(exercise.cases, seed, vary))
    wanted = results(other.reference, other.cases())
    try:
        found = tensors(reply.get("results"), len(wanted))
        if not agree(found, wanted):
            return Verdict(False, f"Not yet: {hint(other, found, wanted)[:LONGEST]}")
        check_gradients(other, reply.get("reached"))
    except Fault as fault:
        return Verdict(False, f"Not yet: {fault}")
    return Verdict(True, f"Right: {exercise.praise}")


def tensors(entries, count):
    """Return the results in a reply as tensors. Raises Fault for a reply of another form, or with another number of results."""
    import torch

    from edu_diffusion.exercises.careful import Fault

    if not isinstance(entries, list) or len(entries) != count or not all(map(is_entry, entries)):
        raise Fault("what it sent back is no list of results.")
    made = [torch.tensor(entry["numbers"], dtype=torch.float32).reshape(entry["shape"]) for entry in entries]
    return [x.to(torch.complex64) if entry["complex"] else x for x, entry in zip(made, entries)]


def is_entry(entry):
    """Whether an entry has a shape, a flag, and as many plain numbers as the shape says."""
    if not isinstance(entry, dict) or set(entry) != {"shape", "complex", "numbers"}:
        return False
    shape, numbers = entry["shape"], entry["numbers"]
    whole = isinstance(shape, list) and all(type(n) is int and 0 <= n < 10**6 for n in shape)
    plain = isinstance(numbers, list) and all(type(n) in (int, float) for n in numbers)
    return bool(whole and plain and math.prod(shape) == len(numbers) and type(entry["complex"]) is bool)


def check_gradients(exercise, reached):
    """Raise Fault unless gradients flow back wherever they do from the reference's results."""
    import inspect

    from edu_diffusion.exercises import gradients
    from edu_diffusion.exercises.careful import Fault

    wanted = [gradients.reached(exercise.reference(*case), case) for case in exercise.cases()]
    if not any(wanted):
        return
    if isinstance(reached, str):
        raise Fault(reached[:LONGEST])
    names = list(inspect.signature(exercise.reference).parameters)
    own = [set(places) for places in reached] if isinstance(reached, list) else [set()] * len(wanted)
    missing = [names[place] for places, found in zip(wanted, own) for place in sorted(places - found)]
    if missing:
        raise Fault(f"the numbers are right, but no gradient flows back to {missing[0]}; leave out .item(), .detach() and no_grad.")
