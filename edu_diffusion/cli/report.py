"""The verb `report`: what a class has answered, by pseudonym, and the hint that each learner needs next.

The folder holds one folder, or one notebook, for each pseudonym. No notebook is run: the answers are taken out (answers.py) and
judged one by one (grader.py). In a learner's folder may also be concepts_before.txt and concepts_after.txt, the twelve letters
of the concept test. Everything is written beside the folders: report.html, and the marks as Moodle and Canvas import them.
"""

import collections
from dataclasses import dataclass, field
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError, said

from . import answers, grader, lessons, own_run, report_files, report_page

PRACTICE = "These marks are practice: whoever asks a chat assistant gets the same answers, so do not grade with them alone."
TESTS = {"before": "concepts_before.txt", "after": "concepts_after.txt"}


@dataclass
class Learner:
    """What one pseudonym handed in. verdicts: {lesson: {question: Verdict}}; tests: {"before" or "after": letters}."""

    pseudonym: str
    verdicts: dict = field(default_factory=dict)
    tests: dict = field(default_factory=dict)
    sentences: list = field(default_factory=list)
    own_run: str = ""  # what became of the question that own_run asks

    def score(self, lesson):
        """(right, asked) of a lesson, None where it was not handed in."""
        found = self.verdicts.get(lesson)
        return None if found is None else (sum(verdict.right is True for verdict in found.values()), len(found))


def run(args, rest=()):
    """Judge a folder, print the table and write the files."""
    from edu_diffusion.exercises import EXERCISES

    folder = opened(args.folder)
    asked = answers.questions(lessons.source(), EXERCISES)
    learners, notes, given = collected(folder, asked)
    print(said("{} learners, {} answers; each question takes some seconds for a whole class.", len(learners), len(given)))
    judge(learners, given)
    for sentence in notes:
        print(sentence)
    print(table(learners, list(asked)))
    print(said(PRACTICE))
    for path in written(folder, learners, asked, notes):
        print(path)


def opened(folder):
    """Return the folder's path. Raises EduError where there is nothing to judge in it."""
    path = Path(folder)
    if not path.is_dir():
        raise EduError(f"there is no folder {folder}; collect one folder or notebook for each pseudonym in one, and name it")
    if not any(handed_in(path)):
        raise EduError(f"there are no notebooks in {folder}; put each learner's in a folder with the pseudonym as its name")
    return path


# ---------------------------------------------------------------- what was handed in


def handed_in(folder):
    """Yield (pseudonym, its notebooks, its folder or None)."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix == ".ipynb":
            yield path.stem, [path], None
        elif path.is_dir():
            found = [one for one in sorted(path.rglob("*.ipynb")) if not hidden(one.relative_to(path))]
            if found or any((path / name).is_file() for name in TESTS.values()):
                yield path.name, found, path


def hidden(path):
    return any(part.startswith(".") for part in path.parts)


def collected(folder, asked):
    """Return ({pseudonym: Learner}, sentences about what cannot be read, [(Learner, Given)])."""
    learners, notes, given = {}, [], []
    for pseudonym, notebooks, own in handed_in(folder):
        learner = learners.setdefault(pseudonym, Learner(pseudonym))
        for path in notebooks:
            try:
                cells = answers.notebook_cells(path)
            except (lessons.Damaged, OSError) as damage:
                notes.append(said("{} is left out: it is {}.", path.relative_to(folder), damage))
                continue
            given += [(learner, answer) for answer in taken(learner, path, cells, asked, notes)]
            personal(learner, cells)
        if own:
            learner.tests = concept_tests(own, notes)
    return learners, notes, given


def taken(learner, path, cells, asked, notes):
    """Return the answers in one notebook; of two notebooks of the same lesson the first counts, and a sentence says so."""
    lesson = answers.lesson_of(path, cells, asked)
    if lesson is None:
        return []
    if lesson in learner.verdicts:
        notes.append(
            said("{}: {} is left out, since there is another notebook of lesson {}.", learner.pseudonym, path.name, lesson)
        )
        return []
    learner.verdicts[lesson] = {}
    questions = asked[lesson].values()
    return [grader.Given(one, learner.pseudonym, answers.answer(cells, one) or "") for one in questions]


def personal(learner, cells):
    """Take out what no program can judge, the sentence, and the answer to the question of own_run."""
    for cell in cells:
        source = answers.versions.text(cell) if cell.get("cell_type") == "code" else ""
        sentence, letter = (answers.constant(source, name) for name in ("my_sentence", "my_own_run"))
        if isinstance(sentence, str) and sentence.strip():
            learner.sentences.append(" ".join(sentence.split())[:1000])
        if isinstance(letter, str) and letter.strip():
            right = own_run.computed(learner.pseudonym).right
            given = letter.strip()
            learner.own_run = said("right") if given.upper() == right else said("not {}, but {}", given[:10], right)


def concept_tests(folder, notes):
    """Return {"before" or "after": letters} of the tests in a learner's folder that can be read."""
    from edu_diffusion.exercises import concepts

    found = {}
    for when, name in TESTS.items():
        if (folder / name).is_file():
            try:
                text = (folder / name).read_text(encoding="utf-8-sig", errors="replace")
                concepts.read(text)
                found[when] = text
            except (EduError, OSError) as error:
                notes.append(said("{} is left out: {}", f"{folder.name}/{name}", error))
    return found


def judge(learners, given):
    """Put the Verdict on each answer in its place."""
    for (learner, answer), verdict in zip(given, grader.judged([answer for _, answer in given])):
        learner.verdicts[answer.question.lesson][answer.question.name] = verdict


# ---------------------------------------------------------------- what is said of it


def table(learners, names):
    """Return the table pseudonym x lesson as text: right/asked, - where a lesson was not handed in."""
    names = [name for name in names if any(name in learner.verdicts for learner in learners.values())]
    rows = [[said("pseudonym"), *(name[:2] for name in names), said("all")]]
    for learner in learners.values():
        scores = [learner.score(name) for name in names]
        rows.append([learner.pseudonym, *map(fraction, scores), fraction(total(scores))])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def fraction(score):
    return "-" if score is None else f"{score[0]}/{score[1]}"


def total(scores):
    known = [score for score in scores if score]
    return sum(right for right, _ in known), sum(asked for _, asked in known)


def commonest(learners):
    """Return [((question, hint), how many learners got it)], the commonest first; of wrong answers only."""
    hints = [
        (name, verdict.words)
        for learner in learners.values()
        for verdicts in learner.verdicts.values()
        for name, verdict in verdicts.items()
        if verdict.right is False
    ]
    return collections.Counter(hints).most_common(10)


def gains(learners):
    """Return, for each item of the concept test, its text and how many of those with both tests were right before, right after,
    learned it and lost it; [] where nobody has both."""
    from edu_diffusion.exercises import concepts

    pairs = [(one.tests["before"], one.tests["after"]) for one in learners.values() if len(one.tests) == len(TESTS)]
    if not pairs:
        return []
    before, after = (list(zip(*map(concepts.score, side))) for side in zip(*pairs))
    changes = list(zip(*(concepts.gain(*pair) for pair in pairs)))
    return [
        (said(item.text), len(pairs), sum(b), sum(a), change.count(1), change.count(-1))
        for item, b, a, change in zip(concepts.CONCEPTS, before, after, changes)
    ]


def still_believed(learners):
    """Return [(misconception, how many learners chose it in their last test)], the commonest first."""
    from edu_diffusion.exercises import concepts

    last = [one.tests.get("after") or one.tests["before"] for one in learners.values() if one.tests]
    return collections.Counter(said(belief) for letters in last for belief in concepts.believed(letters).values()).most_common(8)


def written(folder, learners, asked, notes):
    """Write the page and the two tables of marks; return their paths."""
    names = [name for name in asked if any(name in learner.verdicts for learner in learners.values())]
    marks = [(one.pseudonym, [one.score(name) for name in names]) for one in learners.values()]
    most = [len(asked[name]) for name in names]
    summary = (commonest(learners), gains(learners), still_believed(learners))
    content = {
        "report.html": report_page.page(list(learners.values()), names, *summary, notes, said(PRACTICE)),
        "report_moodle.csv": report_files.moodle(names, marks),
        "report_canvas.csv": report_files.canvas(names, most, marks),
    }
    for name, text in content.items():
        files.write_bytes(folder / name, text.encode("utf-8"))
    return [folder / name for name in content]
