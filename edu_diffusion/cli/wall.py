"""The verb `wall`: one page of a class's pictures, each of them approved by the teacher.

The pictures are the PNG files in a folder and the folders in it. Only their pixels and the prompt that `generate` stored in them
reach the page: no file name, date, place or author. A decision belongs to the pixels and the prompt together, not to the name of
the file, and is stored in wall.json beside the pictures; whatever was not approved never appears.
"""

import hashlib
import json
import os
import webbrowser
from dataclasses import dataclass
from pathlib import Path

from edu_diffusion.data import files, school
from edu_diffusion.errors import EduError

from . import html_page, infotext
from .wall_page import page

APPROVALS, REVIEW, PAGE = "wall.json", "wall-review.html", "wall.html"
TITLE = "Our pictures"
MOST_EDGE = 1024  # pixels of a picture on the page
WITHOUT = "A picture whose file does not say how it was generated"


@dataclass(frozen=True)
class Piece:
    """One picture: the bytes of a PNG without any metadata, the alt text, what is written under it, and its key in wall.json."""

    png: bytes
    alt: str
    caption: str

    @property
    def key(self):
        return hashlib.sha256(self.png + b"\0" + self.caption.encode()).hexdigest()


def run(args, rest=()):
    """Ask about every new picture in a folder, and write the page."""
    school.switch(args.school)
    folder = opened(args.folder)
    pieces, left_out = gather(folder)
    for sentence in left_out:
        print(sentence)
    decisions = {} if args.again else decided(folder)
    waiting = [piece for piece in pieces if piece.key not in decisions]
    if waiting:
        review(folder, waiting, decisions, show=not args.no_browser)
    path = publish(folder, pieces, decisions, args.out, args.title)
    undecided = sum(piece.key not in decisions for piece in pieces)
    print(f"{path}: {len(approved(pieces, decisions))} of {len(pieces)} pictures")
    if undecided:
        print(f"{undecided} are not decided yet and not on the page: start the command again in a terminal to answer.")


def wall(folder: str | os.PathLike, out: str | os.PathLike | None = None, title: str = TITLE) -> Path:
    """Write the page of a folder's approved pictures, as the command does, without asking; return its path.

    folder: with PNG files and wall.json, the answers of `python3 -m edu_diffusion wall FOLDER`. out: the file to write, or None
    for wall.html in the folder. Raises EduError where there is no such folder, or nothing can be written.
    """
    folder = opened(folder)
    return publish(folder, gather(folder)[0], decided(folder), out, title)


def opened(folder):
    """Return the folder's path. Raises EduError when it is none."""
    if not Path(folder).is_dir():
        raise EduError(f"there is no folder {folder}; collect the class's PNG files in one and name it")
    return Path(folder)


# ---------------------------------------------------------------- pictures


def gather(folder):
    """Return (pieces, sentences about files that are left out); in an order that tells nothing of their names."""
    pieces, left_out = {}, []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() == ".png" and not path.name.startswith("."):
            try:
                found = piece(path)
            except EduError as error:
                left_out.append(f"{path.relative_to(folder)} is left out: {error}")
            else:
                pieces[found.key] = found
    return [pieces[key] for key in sorted(pieces)], left_out


def piece(path):
    """Return the Piece of a PNG file. Raises EduError when it cannot be read, or its prompt is refused, see data/school.py."""
    prompt = prompt_of(path)
    if prompt is None:
        return Piece(bare(path), WITHOUT, "")
    school.check(prompt)
    return Piece(bare(path), f"A picture generated from the prompt: {prompt}" if prompt else "A picture without a prompt", prompt)


def prompt_of(path):
    """Return the prompt in a PNG file, None where there is none."""
    try:
        return " ".join(infotext.read(path)["prompt"].split())
    except EduError:
        return None


def bare(path):
    """Return the bytes of a PNG with the same pixels and nothing else."""
    from edu_diffusion.data import pictures

    return pictures.bare(path, MOST_EDGE)


# ---------------------------------------------------------------- decisions


def decided(folder):
    """Return {key: whether approved} of earlier answers; what cannot be read is asked again."""
    return {key: answer for key, answer in files.read_object(folder / APPROVALS).items() if isinstance(answer, bool)}


def approved(pieces, decisions):
    return [piece for piece in pieces if decisions.get(piece.key) is True]


def review(folder, waiting, decisions, show=True):
    """Show the waiting pictures on a page of their own and ask about each; every answer is stored at once.

    The page is for the teacher only, and is removed at the end.
    """
    path = folder / REVIEW
    write(path, page(waiting, "To be approved: for the teacher only", numbered=True))
    print(f"{len(waiting)} new pictures are on {path}. Show them on the wall? y: yes, n: no, q: later")
    if show:
        webbrowser.open(path.resolve().as_uri())
    try:
        for number, piece in enumerate(waiting, 1):
            said = answer(f"{number} of {len(waiting)}, {piece.caption or 'no prompt'}: ")
            if said is None:
                return
            decisions[piece.key] = said
            store(folder, decisions)
    finally:
        path.unlink(missing_ok=True)


def answer(question):
    """Return True for yes, False for no, None for later; ask again after anything else."""
    while True:
        try:
            said = input(question).strip().lower()
        except EOFError:
            return None
        if said in ("y", "yes", "n", "no", "q"):
            return {"y": True, "n": False}.get(said[0])


def store(folder, decisions):
    write(folder / APPROVALS, json.dumps(decisions, indent=1) + "\n")


# ---------------------------------------------------------------- the page


def publish(folder, pieces, decisions, out=None, title=TITLE):
    """Write the page with the approved pictures; return its path. Raises EduError for a file that is no page of ours."""
    path = Path(out) if out else folder / PAGE
    html_page.write(path, page(approved(pieces, decisions), title))
    return path


def write(path, text):
    """Write a text file. Raises EduError where that is not possible."""
    try:
        files.write_bytes(path, text.encode())
    except OSError as error:
        raise EduError(f"{path} cannot be written ({error.strerror or error}); choose another place with --out") from error
