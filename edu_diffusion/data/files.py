"""Locations of the package's files, and atomic writing, so that an interruption never leaves half a file.

A clone has `datasets/` and `notebooks/` beside the package; a wheel contains them. Standard library only.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile

from ..errors import EduError

PACKAGE = pathlib.Path(__file__).resolve().parents[1]


def folder(kind, name=""):
    """The folder of a data set, checkpoint or the lessons: folder("datasets", "emoji").

    kind: "datasets", "checkpoints" or "notebooks". Raises EduError when it does not exist.
    """
    for root in (PACKAGE, PACKAGE.parent):
        if (root / kind / name).is_dir():
            return root / kind / name
    raise EduError(f"There is no {kind}/{name} here; the repository and the wheel contain it: install again.")


@contextlib.contextmanager
def staged(target):
    """A temporary folder that replaces `target` only when the block ends without an exception.

    Until then `target` stays unchanged. Yields a pathlib.Path.
    """
    target = pathlib.Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    stage = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield stage
        _as_usual(stage)
        _swap(stage, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextlib.contextmanager
def artefact(target, card=None):
    """The same for the result of a training run: adds card.json, with the dict `card` and the sha256 of every file.

    The block may still add to the dict that it was given.
    """
    with staged(target) as stage:
        yield stage
        write_json(stage / "card.json", {**(card or {}), "sha256": checksums(stage)})


def _as_usual(stage):
    """Give a folder and its content the usual permissions: temporary files are readable by their owner only."""
    umask = os.umask(0o077)  # there is no way to read it without setting it
    os.umask(umask)
    for path in (stage, *stage.rglob("*")):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)


def _swap(stage, target):
    old = target.with_name(f".{target.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(stage, target)
    shutil.rmtree(old, ignore_errors=True)


def write_bytes(path, data):
    """Write a file under a temporary name, then rename it: readers see either the old file or the new one."""
    path = pathlib.Path(path)
    stage = path.with_name(f".{path.name}.partial")
    stage.write_bytes(data)
    os.replace(stage, path)


def write_json(path, value):
    write_bytes(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def read_json(path):
    """What a JSON file holds; {} where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def portable(folder):
    """Rewrite the configurations in a saved folder, so that the libraries' plain from_pretrained(folder) computes in float32.

    diffusers does so by default. transformers takes the dtype from config.json, and without one there from the
    weights, which are 16-bit: a pipeline of both would mix the two. The path that a part was loaded from is removed.
    """
    for path in pathlib.Path(folder).rglob("*config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        write_bytes(path, (json.dumps(_portable(config), indent=2, sort_keys=True) + "\n").encode())


def _portable(config):
    """A configuration, or a nested one such as that of CLIP's text encoder; those of transformers have model_type."""
    kept = {name: _portable(value) if isinstance(value, dict) else value
            for name, value in config.items() if name != "_name_or_path"}
    return kept | {"dtype": "float32"} if "model_type" in config else kept


def sha256(path):
    """Hexadecimal digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(root):
    """{relative path: sha256} of every file below `root`, except cards and metrics (they change with their wording)."""
    skipped = {"card.json", "README.md", "metrics.json", "sheet.png"}
    files = sorted(p for p in pathlib.Path(root).rglob("*") if p.is_file() and p.name not in skipped)
    return {p.relative_to(root).as_posix(): sha256(p) for p in files}
