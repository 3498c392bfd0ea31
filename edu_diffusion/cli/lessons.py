"""Copy the lessons to the learner's folder; never overwrite a file that the learner changed. Standard library only.

`work/.lessons.json` records the hash of each file as we wrote it. A copy that still has this hash is unchanged and
may be replaced by a newer lesson; any other copy is the learner's, and the newer lesson is written beside it as
`00_start.new.ipynb`.
"""

import hashlib
import json
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

from . import languages, remedies, versions

RECORD = ".lessons.json"
TEACHERS = ("TEACHING.md", "plans")  # pages for the teacher, with model answers


def source():
    """Return the folder with the teacher's version of the lessons, in a clone or in an installed wheel."""
    found = files.folder("notebooks")
    if not any(found.glob("*.ipynb")):
        raise EduError(f"there are no lessons in {found}; unpack or clone the whole repository again")
    return found


def copy(folder, target, only=None):
    """Update `target` with the lessons in `folder`; return the messages for the learner.

    only: the relative names of the files to copy, None for all. A lesson that is damaged is named, and the others are copied.
    Raises EduError when the target cannot be written.
    """
    try:
        Path(target).mkdir(parents=True, exist_ok=True)
        record = read_record(target)
        told = [copied(path, name, target, record) for path, name in lessons(folder) if only is None or name in only]
        write(Path(target) / RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    except OSError as error:
        raise EduError(
            f"the lessons cannot be copied to {target} ({error.strerror or error}); make the folder writable, free some "
            f"space, or start from another folder"
        ) from error
    return [sentence for sentence in told if sentence]


def lessons(folder):
    """Yield (path, relative name) for every file of the lessons that is a learner's too, in the language that is spoken."""
    apart = {*TEACHERS, *languages.folders(Path(folder))}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder)
        hidden = name.parts[0] in apart or any(part.startswith((".", "__pycache__")) for part in name.parts)
        if path.is_file() and not hidden:
            yield languages.own(path), name.as_posix()


def copied(path, name, target, record):
    """Copy one file of the lessons, without solutions; return a message or None."""
    content = path.read_bytes()
    try:
        content = without_solutions(content) if path.suffix == ".ipynb" else content
    except Damaged as damage:
        return f"{name} is not copied, because it is {damage}; {remedies.restore(path)}"
    return place(target, name, content, record)


def damage(path):
    """Return what is wrong with a notebook, or None."""
    try:
        notebook_in(path.read_bytes())
    except (Damaged, OSError) as wrong:
        return str(wrong)
    return None


class Damaged(Exception):
    """A notebook that cannot be read; its text says what it is."""


def notebook_in(content):
    """Return the notebook in a file. Raises Damaged, where git has left both sides of a merge as well."""
    try:
        notebook = json.loads(content)
    except ValueError as error:
        conflict = b"\n<<<<<<< " in b"\n" + content
        what = "in the middle of a merge: both versions are in it" if conflict else f"damaged ({error})"
        raise Damaged(what) from None
    if not isinstance(notebook, dict) or not is_list_of_dicts(notebook.get("cells")):
        raise Damaged("not a notebook")
    return notebook


def is_list_of_dicts(cells):
    return isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells)


def without_solutions(content):
    """Return the learner's version of a notebook's file; one without questions stays byte for byte the same."""
    notebook = notebook_in(content)
    if not any(map(versions.is_question, notebook["cells"])):
        return content
    return (json.dumps(versions.learners(notebook), indent=1, ensure_ascii=False) + "\n").encode()


def place(target, name, content, record):
    """Write one lesson, beside the learner's copy if that was changed; record it; return a message or None."""
    copy, new = Path(target) / name, digest(content)
    if untouched(copy, record.get(name)) or digest_of(copy) == new:
        if digest_of(copy) != new:
            write(copy, content)
        record[name] = new
        return None
    if record.get(name) == new or record.get(f"{name} offered") == new:
        return None
    beside = free_name(copy, record, target)
    write(beside, content)
    record[beside.relative_to(target).as_posix()] = record[f"{name} offered"] = new
    return f"{name} has a new version; you changed yours, so the new one is saved beside it: {beside.name}"


def untouched(copy, written):
    """Return whether a copy is missing or still has the hash with which it was written."""
    return digest_of(copy) in (None, written)


def free_name(copy, record, target):
    """Return 00_start.new.ipynb, or .new2 and so on if the learner has changed that one too."""
    numbers = ["", *map(str, range(2, 1000))]
    names = (copy.with_name(f"{copy.stem}.new{number}{copy.suffix}") for number in numbers)
    return next(path for path in names if untouched(path, record.get(path.relative_to(target).as_posix())))


def digest(content):
    return hashlib.sha256(content).hexdigest()


def digest_of(path):
    return digest(path.read_bytes()) if path.is_file() else None


def read_record(target):
    """Return the recorded hashes; without them, every copy that differs counts as the learner's."""
    try:
        record = json.loads((Path(target) / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_bytes(path, content)
