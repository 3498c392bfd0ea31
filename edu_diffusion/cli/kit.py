"""The verb `kit`: a folder, on a stick or a shared drive, that installs without a network; see install/kit.py for what is in it."""

import re
import shutil

from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment, kit

from . import kit_files, kit_wheels

PROJECT = "edu_diffusion"
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "work", "runs", "build", "dist", "my_*")
PLACES = {"linux": "bin/python3", "windows": "python.exe", "macos": "bin/python3"}


def run(args, rest=()):
    """Build a kit and say how large it is."""
    platforms = args.platform or [kit.this_platform()]
    size = build(args.folder, platforms, args.python or kit.this_python())
    print(f"{args.folder}: a kit for {' and '.join(platforms)}, {size / 1e6:,.0f} MB; README.html in it is for the teacher.")
    for platform in platforms:
        if not (args.folder / "python" / platform / PLACES[platform]).is_file():
            print(f"It has no Python for {platform}: README.html says how to add one, or to install one.")


def build(folder, platforms, version):
    """Build a kit, or finish or renew one; return its size in bytes. What interrupts it leaves a kit that installs nothing.

    Raises EduError outside a clone, for a folder with other files, an unknown version, or where something cannot be had.
    """
    root = checked_root(folder, version)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / kit.CARD, {"unfinished": True})
    for platform in platforms:
        kit_wheels.download(root, folder / "wheels" / platform, platform, version, folder / "kit.log")
        (folder / "python" / platform).mkdir(parents=True, exist_ok=True)
    copy_project(root, folder)
    sums = checksums(folder)
    size = sum((folder / name).stat().st_size for name in sums)
    write_texts(folder, kit_files.texts(version, platforms, size))
    sums = checksums(folder)
    files.write_json(folder / kit.CARD, {"python": version, "platforms": platforms, "files": sums})
    return size


def checked_root(folder, version):
    """Return the clone that the kit is built from, after looking at what was asked."""
    root = environment.clone_root()
    if root is None:
        raise EduError("a kit is built from the repository, which holds the whole project: clone or unpack it, and start there")
    if not re.fullmatch(r"3\.1[123]", version):
        raise EduError(f"the lessons are tested with Python 3.11 to 3.13, so --python must be one of these, not {version}")
    if folder.exists() and not folder.is_dir():
        raise EduError(f"{folder} is a file; a kit needs a folder of its own")
    if folder.is_dir() and any(folder.iterdir()) and not kit.card(folder):
        raise EduError(f"{folder} holds other files; a kit needs a folder of its own, such as {folder / 'kit'}")
    if folder.resolve() == root or root in folder.resolve().parents:
        raise EduError(f"{folder} lies inside the project, which is copied into the kit; choose a folder outside {root}")
    return root


def copy_project(root, folder):
    """Copy the project without what was made while working with it; one that is there is replaced when the copy is whole."""
    part, target = folder / f".{PROJECT}.part", folder / PROJECT
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(root, part, ignore=LEFT_OUT, copy_function=shutil.copyfile)  # a stick knows no permissions
    if target.exists():
        shutil.rmtree(target)
    part.rename(target)


def write_texts(folder, texts):
    for name, text in texts.items():
        files.write_bytes(folder / name, text.encode())


def checksums(folder):
    """Return {name: sha256} of every file of a kit, without those of a Python that the teacher adds."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    own = {name: path for name, path in names.items() if name.split("/")[0] not in (kit.CARD, "python", "kit.log")}
    return {name: files.sha256(path) for name, path in own.items()}


def faults(folder):
    """Return what is wrong with a kit, in a few words each; none for one that is complete."""
    found = kit.card(folder)
    if not isinstance(found.get("files"), dict):
        return [f"{folder} is not a finished kit"]
    wrong = [name for name, expected in found["files"].items() if not whole(folder / name, expected)]
    return [f"{name} is missing or damaged" for name in wrong]


def whole(path, expected):
    try:
        return files.sha256(path) == expected
    except OSError:
        return False
