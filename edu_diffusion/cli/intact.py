"""The checks of `doctor` that compare files: packages, weights, data and lessons. Standard library only."""

import base64
import hashlib
import importlib.metadata
import json
import sysconfig
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.data.checksums import damaged
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

from . import lab, lessons, remedies


def first(names, most=5):
    """Return the first few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# ---------------------------------------------------------------- packages


def package_files():
    """Compare every installed file with the list in its package: files are deleted, cut off, or damaged on a bad disk."""
    lists = sorted(Path(sysconfig.get_path("purelib")).glob("*.dist-info"))
    wrong = {folder.stem: names for folder in lists if (names := incomplete(folder))}
    if wrong:
        one = [f"{name} ({first(names, 1)})" for name, names in wrong.items()]
        return (
            False,
            f"packages: files are missing or damaged in {first(one)}",
            remedies.install_again(dict(name.split("-", 1) for name in wrong)),
        )
    return True, "packages: all files intact", ""


def incomplete(folder):
    """Return the files of an installed package that are missing or changed. Our own may be edited."""
    if folder.name.startswith("edu_diffusion-"):
        return []
    listed = importlib.metadata.Distribution.at(folder).files or ()
    return [str(file) for file in listed if file.size is not None and not whole(file)]


def whole(file):
    """Return whether an installed file has the size and, where one is listed, the checksum of its package's list."""
    try:
        path = file.locate()
        return path.stat().st_size == file.size and (file.hash is None or checksum(path, file.hash.mode) == file.hash.value)
    except (OSError, ValueError):
        return False


def checksum(path, kind):
    """Return a file's checksum as such lists write it."""
    with open(path, "rb") as file:
        return base64.urlsafe_b64encode(hashlib.file_digest(file, kind).digest()).decode().rstrip("=")


# ---------------------------------------------------------------- weights and data


def weights():
    """Compare every file of every checkpoint with the checksum in its card.json."""
    return compared("weights", files.PACKAGE / "checkpoints", "card.json", lambda found: found.get("sha256"))


def data():
    """Compare every file of every data set with its checksum."""
    root = environment.clone_root() or files.PACKAGE
    return compared("data", root / "datasets", "checksums.json", lambda found: found)


def compared(what, folder, name, listed):
    """Compare the files beside each list of checksums; listed: takes {file: sha256} from the content of a list."""
    lists = sorted(folder.glob(f"*/{name}"))
    if not lists:
        return False, f"{what}: there are none", remedies.restore(folder)
    unreadable = [path for path in lists if not readable(path, listed)]
    good = [path for path in lists if path not in unreadable]
    wrong = [name for path in good for name in damaged(path.parent, listed(json.loads(path.read_bytes())))]
    if not (unreadable or wrong):
        return True, f"{what}: {', '.join(path.parent.name for path in lists)} intact", ""
    lost = [path.parents[1] / name for path in good for name in wrong if name.startswith(f"{path.parent.name}/")]
    told = [f"{path.parent.name}/{path.name} is not a list of checksums any more" for path in unreadable]
    told += [f"damaged or missing: {first(wrong)}"] if wrong else []
    return False, f"{what}: {'; '.join(told)}", remedies.restore(*unreadable, *folders(lost))


def readable(path, listed):
    """Return whether a list of checksums is one: JSON, with a name and a hash for each file."""
    try:
        found = json.loads(path.read_bytes())
        hashes = listed(found) if isinstance(found, dict) else None
    except (OSError, ValueError):
        return False
    return isinstance(hashes, dict) and all(isinstance(value, str) for value in hashes.values())


def folders(paths, most=5):
    """Return the paths themselves while they are few, else the folders that they are in."""
    return paths if len(paths) <= most else sorted({path.parent for path in paths})


# ---------------------------------------------------------------- lessons


def notebooks():
    """Read every lesson: a merge that was not finished leaves a file that is no notebook."""
    try:
        folder = lessons.source()
    except EduError as error:
        return False, f"lessons: {error}", remedies.restore(files.PACKAGE.parent / "notebooks")
    found = sorted(folder.glob("*.ipynb"))
    wrong = [path for path in found if lessons.damage(path)]
    told = "; ".join(f"{path.name} is {lessons.damage(path)}" for path in wrong)
    return not wrong, f"lessons: {told}" if wrong else f"lessons: all {len(found)} readable", remedies.restore(*wrong)


def names():
    """Look for a learner's files that have the name of a library: in Jupyter, though not in `lab`, they are imported instead."""
    folder = environment.home() / "work"
    found = lab.shadows(folder)
    return (
        not found,
        f"your own files in {folder}: " + (f"{first(found)} have the name of a library" if found else "no clash"),
        "rename them, for example to my_" + (found[0] if found else ""),
    )
