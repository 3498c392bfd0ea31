"""Locations of the package's files, and atomic writing, so that an interruption never leaves half a file.

A clone has `datasets/` and `notebooks/` beside the package; a wheel contains them. Standard library only.
"""

import contextlib
import glob
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Iterator

from ..errors import EduError

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
CARD = "card.json"
UNLISTED = {CARD, "README.md", "metrics.json", "sheet.png"}  # without a checksum: they change with their wording
ABANDONED = 3600  # seconds after which a temporary folder belongs to a process that was killed


def folder(kind: str, name: str = "") -> pathlib.Path:
    """The folder of a data set, checkpoint or the lessons: folder("datasets", "emoji").

    kind: "datasets", "checkpoints" or "notebooks". Raises EduError when it does not exist.
    """
    for root in (PACKAGE, PACKAGE.parent):
        if (root / kind / name).is_dir():
            return root / kind / name
    raise EduError(f"There is no {kind}/{name} here; the repository and the wheel contain it: install again.")


@contextlib.contextmanager
def staged(target: str | os.PathLike, card: dict | None = None) -> Iterator[pathlib.Path]:
    """A temporary folder that replaces `target` only when the block ends without an exception; until then that stays unchanged.

    A card.json is added: the dict `card`, to which the block may still add, and the sha256 of every file. It tells the next
    time that the folder is ours. Raises EduError for a target that holds anything else: nobody's files are ever replaced.
    """
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    bring_back(target)
    sweep(target)
    refuse_foreign(target)
    stage = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield stage
        write_json(stage / CARD, {**(card or {}), "sha256": checksums(stage)})
        _as_usual(stage)
        _swap(stage, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def refuse_foreign(target: pathlib.Path) -> None:
    """Raise EduError unless a folder may be replaced: it is absent, empty, or its card.json lists every file in it."""
    if target.is_dir() and not (foreign := foreign_files(target)):
        return
    if target.exists():
        what = f"it holds {foreign[0]}, which is not ours" if target.is_dir() else "it is a file"
        raise EduError(f"{target} is not replaced, because {what}: choose another folder, or move that away first.")


def foreign_files(folder: pathlib.Path) -> list[str]:
    """The files below a folder that its card.json does not list: all of them if there is no card.json of ours."""
    listed = card_of(folder).get("sha256")
    ours = {*listed, *UNLISTED} if isinstance(listed, dict) else set()
    return sorted({p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()} - ours)


def card_of(folder: pathlib.Path) -> dict:
    """The content of a folder's card.json; {} where there is none, or one that is not a JSON object."""
    return read_object(folder / CARD)


def read_object(path: pathlib.Path) -> dict:
    """What a JSON file holds; {} where there is none, or one that cannot be read or holds something else than an object."""
    try:
        found = read_json(path)
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def bring_back(target: pathlib.Path) -> None:
    """Undo half a replacement: a process was killed after the old folder had been moved and before the new one was there."""
    if _old(target).is_dir() and not target.exists():
        os.replace(_old(target), target)


def sweep(target: pathlib.Path) -> None:
    """Remove the temporary folders of processes that were killed while they wrote `target`."""
    for stage in target.parent.glob(f".{glob.escape(target.name)}-*"):
        if stage.is_dir() and stage != _old(target) and time.time() - stage.stat().st_mtime > ABANDONED:
            shutil.rmtree(stage, ignore_errors=True)


def _old(target):
    return target.with_name(f".{target.name}-old")


def _as_usual(stage):
    """Give a folder and its content the usual permissions: temporary files are readable by their owner only."""
    umask = os.umask(0o077)  # there is no way to read it without setting it
    os.umask(umask)
    for path in (stage, *stage.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


def _swap(stage, target):
    """Two renames; after a kill between them bring_back() undoes the first."""
    old = _old(target)
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        os.replace(target, old)
    os.replace(stage, target)
    shutil.rmtree(old, ignore_errors=True)


def write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write a file under a temporary name, then rename it: readers see either the old file or the new one.

    The temporary name is this process's own, so that two of them never mix; it is gone even if the disk is full.
    """
    path = pathlib.Path(path)
    stage = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        stage.write_bytes(data)
        os.replace(stage, path)
    finally:
        stage.unlink(missing_ok=True)


def write_json(path: str | os.PathLike, value: object) -> None:
    """The same for a value as JSON."""
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path: pathlib.Path) -> dict:
    """What a JSON file holds; {} where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def portable(folder: str | os.PathLike) -> None:
    """Rewrite the configurations in a saved folder, so that the libraries' plain from_pretrained(folder) computes in float32.

    diffusers does so by default. transformers takes the dtype from config.json, and without one there from the
    weights, which are 16-bit: a pipeline of both would mix the two. The path that a part was loaded from is removed.
    """
    for path in pathlib.Path(folder).rglob("*config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        write_bytes(path, (json.dumps(_portable(config), indent=2, sort_keys=True) + "\n").encode())


def _portable(config):
    """A configuration, or a nested one such as that of CLIP's text encoder; those of transformers have model_type."""
    kept = {
        name: _portable(value) if isinstance(value, dict) else value for name, value in config.items() if name != "_name_or_path"
    }
    return kept | {"dtype": "float32"} if "model_type" in config else kept


def sha256(path: str | os.PathLike) -> str:
    """Hexadecimal digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(root: str | os.PathLike) -> dict[str, str]:
    """{relative path: sha256} of every file below `root`, except cards and metrics."""
    files = sorted(p for p in pathlib.Path(root).rglob("*") if p.is_file() and p.name not in UNLISTED)
    return {p.relative_to(root).as_posix(): sha256(p) for p in files}
