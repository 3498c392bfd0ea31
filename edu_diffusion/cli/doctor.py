"""The command `doctor`: check everything that the lessons need, and suggest the cheapest fix for each problem.

Every check returns (ok, text, remedy) and is tested by breaking what it looks at. A check that itself raises
counts as failed; the remaining checks still run. Those that compare files are in intact.py, those of
Jupyter's kernel in kernel_checks.py.
"""

import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys

from edu_diffusion.data.files import PACKAGE
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment
from edu_diffusion.install.pip import SAFELY

from . import intact, kernel_checks, remedies

MEMORY, DISK = 2e9, 2e9  # bytes; a lesson takes about 1 GB of memory


def run(args=None, rest=()):
    """Print one line per check; return 1 if any failed."""
    results = [report(check) for check in [*CHECKS, *further(args)]]
    print("Everything is fine." if all(results) else f"{results.count(False)} of {len(results)} checks failed.")
    return 0 if all(results) else 1


def further(args):
    """Return the checks for a class, if they are asked for."""
    from . import doctor_class

    asked = getattr(args, "for_class", False) or getattr(args, "kit", None)
    return doctor_class.checks(args.kit) if asked else ()


def report(check):
    """Run one check, print its line and, if it failed, the remedy; return whether it passed."""
    try:
        ok, text, remedy = check()
    except Exception as error:  # any exception is a problem to report
        ok = False
        text = f"{named(check)}: {type(error).__name__}: {error}"
        remedy = remedies.for_exception(error)
    print(f"[ok]   {text}" if ok else f"[FAIL] {text}\n       -> {remedy}", flush=True)
    return ok


def named(check):
    return getattr(check, "func", check).__name__


# ---------------------------------------------------------------- the environment


def python(version=sys.version_info):
    found = ".".join(map(str, version[:3]))
    return (
        (3, 11) <= tuple(version[:2]) <= (3, 13),
        f"Python {found} ({sys.executable})",
        "the lessons are tested with Python 3.11 to 3.13; install one of these from python.org",
    )


def packages():
    """Compare the installed packages with the requirements, and list differences from the tested versions."""
    from packaging.requirements import Requirement

    wrong = {text: needed for needed in map(Requirement, requirements()) if (text := unmet(needed))}
    if wrong:
        return False, f"packages: {', '.join(wrong)}", remedies.install(list(map(str, wrong.values())))
    other = differing(pins(remedies.constraints_file().read_text(encoding="utf-8")))
    note = f"; other versions than tested: {', '.join(other)}" if other else ", all in the tested versions"
    return True, f"packages: all installed{note}", ""


def requirements():
    """Return the package's requirements, from the clone's pyproject.toml or the wheel's metadata."""
    root = environment.clone_root()
    if root is None:
        return [text for text in importlib.metadata.requires("edu-diffusion") if "extra ==" not in text]
    import tomllib

    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]


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
        return (importlib.metadata.version(name) or "0").split("+")[0]  # None where a package's metadata is damaged
    except importlib.metadata.PackageNotFoundError:
        return None


def pins(text):
    """Return {name: version} of a constraints file."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;#]+)", text, re.M))


def differing(pinned):
    """Return "name version (tested with version)" for installed packages that differ from their pinned version."""
    found = {name: version_of(name) for name in pinned}
    return [f"{name} {found[name]} (tested with {pin})" for name, pin in pinned.items() if found[name] not in (None, pin)]


def torch_build():
    """Look for a torchvision built for another torch: transformers imports it, and then every import fails."""
    import torch

    if importlib.util.find_spec("torchvision") is None:
        return True, f"torch {torch.__version__}", ""
    code = "import torchvision"
    import_ = subprocess.run([sys.executable, *SAFELY, "-c", code], capture_output=True, timeout=300)
    other = remedies.versions(["torchvision"]).get("torchvision", "of no known version")
    return (
        import_.returncode == 0,
        f"torch {torch.__version__} beside torchvision {other}",
        f"this torchvision was built for another torch, and the lessons do not need it; uninstall it: "
        f'"{sys.executable}" -m pip uninstall torchvision',
    )


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


def memory():
    import psutil

    free = psutil.virtual_memory().available
    return free >= MEMORY, f"memory: {free / 1e9:.1f} GB free", "close other programs; about 2 GB should be free"


def disk():
    free = shutil.disk_usage(environment.home()).free
    return free >= DISK, f"disk: {free / 1e9:.1f} GB free", "free some space; about 2 GB should be free"


# ---------------------------------------------------------------- everything together


def picture():
    """Generate one image in two steps with the base model."""
    from edu_diffusion import models
    from edu_diffusion.cli import generate as drawing

    try:
        pixels = drawing.draw(models.load("base"), drawing.defaults() | {"prompt": "a cat face", "steps": 2})
    except EduError as error:
        return False, f"image: {error}", remedies.restore(PACKAGE / "checkpoints" / "base")
    return (
        bool(pixels.std() > 1),
        f"image: two steps, {pixels.shape[1]} x {pixels.shape[0]}",
        f"the image is one flat colour; {remedies.restore(PACKAGE / 'checkpoints' / 'base')}",
    )


CHECKS = (
    python,
    packages,
    intact.package_files,
    torch_build,
    device,
    kernel_checks.kernel,
    kernel_checks.cell,
    memory,
    disk,
    intact.weights,
    intact.data,
    intact.notebooks,
    intact.names,
    picture,
)
