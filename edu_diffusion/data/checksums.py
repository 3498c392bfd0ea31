"""Checksums are compared where files are read, not by `doctor` alone: once per file, and again when it has changed."""

import os
import pathlib
from typing import NamedTuple

from ..errors import EduError
from . import files

LISTS = (files.CARD, "checksums.json")
_intact: dict[pathlib.Path, tuple[int, int, str]] = {}  # path -> (size, time of change, sha256) of a file that was intact


def manifest(folder: str | os.PathLike) -> tuple[str, dict[str, str]]:
    """(name, {file: sha256}) of the list of checksums in a folder; ("", {}) where there is none that can be read."""
    for name in LISTS:
        found = files.read_object(pathlib.Path(folder) / name)
        listed = found.get("sha256") if name == files.CARD else found
        if listed and isinstance(listed, dict):
            return name, listed
    return "", {}


def damaged(folder: str | os.PathLike, hashes: dict[str, str]) -> list[str]:
    """The files that are missing or differ from their sha256, as "base/unet/config.json"."""
    folder = pathlib.Path(folder)
    return [f"{folder.name}/{name}" for name, expected in hashes.items() if not intact(folder / name, expected)]


def intact(path: pathlib.Path, expected: str) -> bool:
    """Whether a file has this sha256; a file that had it is read again only after it has changed."""
    try:
        found = path.stat()
    except OSError:
        return False
    now = (found.st_size, found.st_mtime_ns, expected)
    if _intact.get(path) == now:
        return True
    right = path.is_file() and files.sha256(path) == expected
    if right:
        _intact[path] = now
    return right


def check(folder: str | os.PathLike) -> None:
    """Raise EduError when a file in a folder with a list of checksums is missing or damaged."""
    name, hashes = manifest(folder)
    wrong = damaged(folder, hashes)
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise EduError(
            f"{wrong[0]}{more} is damaged or missing: {name} has another checksum for it; copy the folder again, or, "
            f"if you changed it on purpose, remove {name}."
        )


def checked(name: str) -> pathlib.Path:
    """The folder of a data set, such as "emoji", after check(); see files.folder."""
    folder = files.folder("datasets", name)
    check(folder)
    return folder


class ModelHash(NamedTuple):
    """The hash of a model file: the whole sha256, 64 hexadecimal digits, and the first ten, which web interfaces show."""

    sha256: str
    short: str


def model_hash(path: str | os.PathLike) -> ModelHash:
    """The hash of a model file, as the web interfaces compute it: of all its bytes, so another name has the same hash.

    The same weights in another format, or with other metadata, have another one. Raises EduError for what is no file.
    Twin: hashlib.sha256.
    """
    try:
        digest = files.sha256(path)
    except OSError as error:
        raise EduError(
            f"{path} has no model hash ({error.strerror or error}): name one file, such as model.safetensors."
        ) from error
    return ModelHash(digest, digest[:10])
