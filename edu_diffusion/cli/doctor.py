"""The command `doctor`: check everything that the lessons need, and suggest a fix for each problem.

Every check returns (ok, text, remedy) and is tested by breaking what it looks at. A check that itself raises
counts as failed; the remaining checks still run.
"""

import importlib.metadata
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from edu_diffusion.data.checksums import damaged
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

PACKAGE = Path(__file__).resolve().parents[1]
ANEW = "remove the folder .venv and start again; it will be recreated"
WHOLE = "the files are damaged or incomplete: unpack or clone the repository again, or reinstall the package"
MEMORY, DISK = 2e9, 2e9  # bytes; a lesson takes about 1 GB of memory


def run(args=None, rest=()):
    """Print one line per check; return 1 if any failed."""
    results = [report(check) for check in CHECKS]
    print(
        "Everything is fine." if all(results) else f"{results.count(False)} of {len(results)} checks failed."
    )
    return 0 if all(results) else 1


def report(check):
    """Run one check, print its line and, if it failed, the remedy; return whether it passed."""
    try:
        ok, text, remedy = check()
    except Exception as error:  # any exception is a problem to report
        ok = False
        text = f"{check.__name__}: {type(error).__name__}: {error}"
        remedy = ANEW
    print(f"[ok]   {text}" if ok else f"[FAIL] {text}\n       -> {remedy}", flush=True)
    return ok


# ---------------------------------------------------------------- the environment

def python(version=sys.version_info):
    found = ".".join(map(str, version[:3]))
    return (3, 11) <= tuple(version[:2]) <= (3, 13), f"Python {found} ({sys.executable})", \
        "the lessons are tested with Python 3.11 to 3.13; install one of these from python.org"


def packages():
    """Compare the installed packages with the requirements, and list differences from the tested versions."""
    from packaging.requirements import Requirement
    wrong = [text for text in map(unmet, map(Requirement, requirements())) if text]
    if wrong:
        return False, f"packages: {', '.join(wrong)}", ANEW
    other = differing(pins(constraints_file().read_text(encoding="utf-8")))
    note = f"; other versions than tested: {', '.join(other)}" if other else ", all in the tested versions"
    return True, f"packages: all installed{note}", ""


def requirements():
    """Return the package's requirements, from the clone's pyproject.toml or the wheel's metadata."""
    root = environment.clone_root()
    if root is None:
        return [text for text in importlib.metadata.requires("edu-diffusion") if "extra ==" not in text]
    import tomllib
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


def constraints_file():
    root = environment.clone_root()
    return (root or PACKAGE) / "constraints.txt"


def unmet(requirement):
    """Return what is wrong with one requirement, or None."""
    found = version_of(requirement.name)
    if found is None:
        return f"{requirement.name} is missing"
    if not requirement.specifier.contains(found, prereleases=True):
        return f"{requirement.name} is {found}, but {requirement.specifier} is required"
    return None


def version_of(name):
    """Return an installed version without its local part (the +cpu of 2.13.0+cpu), or None."""
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def pins(text):
    """Return {name: version} of a constraints file."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;#]+)", text, re.M))


def differing(pinned):
    """Return "name version (tested with version)" for installed packages that differ from their pinned version."""
    found = {name: version_of(name) for name in pinned}
    return [
        f"{name} {found[name]} (tested with {pin})"
        for name, pin in pinned.items()
        if found[name] not in (None, pin)
    ]


def torch_build():
    """Look for a torchvision built for another torch: transformers imports it, and then every import fails."""
    import torch
    if importlib.util.find_spec("torchvision") is None:
        return True, f"torch {torch.__version__}", ""
    code = "import torchvision"
    import_ = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    other = importlib.metadata.version("torchvision")
    return import_.returncode == 0, f"torch {torch.__version__} beside torchvision {other}", \
        f"this torchvision was built for another torch, and the lessons do not need it; uninstall it: " \
        f"\"{sys.executable}\" -m pip uninstall torchvision"


def device():
    """Run a small computation on every device that torch reports."""
    import torch
    names = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    for name in names:
        try:
            total = torch.ones(8, 8, device=name).sum().item()
        except RuntimeError as error:
            return False, f"device {name}: {error}", "update the graphics driver, or use --device cpu"
        if total != 64:
            return False, f"device {name} gives wrong results", "use --device cpu"
    return True, f"devices: {', '.join(names)}", ""


def kernel():
    """Check that a notebook would start this very Python."""
    from jupyter_client.kernelspec import KernelSpecManager
    command = KernelSpecManager().get_kernel_spec("python3").argv
    started = sys.executable if command[0] in ("python", "python3") else command[0]
    same = Path(started).absolute() == Path(sys.executable).absolute()
    return same, f"notebook kernel: {started}", \
        "notebooks would start another Python; remove its kernel: jupyter kernelspec remove python3"


def memory():
    import psutil
    free = psutil.virtual_memory().available
    return (
        free >= MEMORY,
        f"memory: {free / 1e9:.1f} GB free",
        "close other programs; about 2 GB should be free",
    )


def disk():
    free = shutil.disk_usage(environment.home()).free
    return free >= DISK, f"disk: {free / 1e9:.1f} GB free", "free some space; about 2 GB should be free"


# ---------------------------------------------------------------- the files

def weights():
    """Compare every file of every checkpoint with the checksum in its card.json."""
    cards = sorted((PACKAGE / "checkpoints").glob("*/card.json"))
    if not cards:
        return False, "weights: there are none", WHOLE
    wrong = [name for card in cards for name in damaged(card.parent, json.loads(card.read_bytes())["sha256"])]
    return summary("weights", wrong, [card.parent.name for card in cards])


def data():
    """Compare every file of every data set with its checksum."""
    root = environment.clone_root()
    lists = sorted(((root or PACKAGE) / "datasets").glob("*/checksums.json"))
    if not lists:
        return False, "data: there is none", WHOLE
    wrong = [name for file in lists for name in damaged(file.parent, json.loads(file.read_bytes()))]
    return summary("data", wrong, [file.parent.name for file in lists])


def summary(what, wrong, good):
    shown = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    return (
        not wrong,
        f"{what}: damaged or missing: {shown}" if wrong else f"{what}: {', '.join(good)} intact",
        WHOLE,
    )


def picture():
    """Generate one image in two steps with the base model."""
    from edu_diffusion import models
    from edu_diffusion.cli import generate as drawing
    try:
        pixels = drawing.draw(models.load("base"), drawing.defaults() | {"prompt": "a cat face", "steps": 2})
    except EduError as error:
        return False, f"image: {error}", WHOLE
    return bool(pixels.std() > 1), f"image: two steps, {pixels.shape[1]} x {pixels.shape[0]}", \
        f"the image is one flat colour; {WHOLE}"


CHECKS = (python, packages, torch_build, device, kernel, memory, disk, weights, data, picture)
