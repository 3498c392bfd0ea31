"""The cheapest way to mend what `doctor` finds: one package, or one file, not everything anew. Standard library only."""

import contextlib
import importlib.metadata
import json
import sys

from edu_diffusion.data import files
from edu_diffusion.install import environment
from edu_diffusion.install.torch_build import CPU_INDEX, has_nvidia

REPORT = "look at the failed checks above; if there are none, this is a fault of edu_diffusion: please report this line"


def pip(*words):
    """Return a command of this environment's pip."""
    return " ".join([f'"{sys.executable}" -m pip', *words])


def constraints_file():
    return (environment.clone_root() or files.PACKAGE) / "constraints.txt"


def install(requirements):
    """Return how to install what is missing in the tested versions."""
    small = not has_nvidia() and any(text.startswith("torch") for text in requirements)
    words = ["install", *cpu_builds(small), "-c", quoted(constraints_file()), *map(quoted, requirements)]
    return f"install what is missing: {pip(*words)}"


def install_again(versions):
    """Return how to install packages again, {name: version}, and nothing else."""
    exact = [quoted(f"{name}=={version}") for name, version in versions.items()]
    small = any("+cpu" in version for version in versions.values())
    return f"install again what is damaged: {pip('install --force-reinstall --no-deps', *cpu_builds(small), *exact)}"


def cpu_builds(small):
    return [f"--extra-index-url {CPU_INDEX}"] * small


def quoted(text):
    return f'"{text}"'


def versions(names):
    """Return {name: version} of those packages that are installed."""
    found = {}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def for_exception(error):
    """Return the remedy for a check that raised something: the package in which it arose, or whose module is missing."""
    missing = (getattr(error, "name", None) or "").partition(".")[0]
    owners = importlib.metadata.packages_distributions()
    found = [name for module in [*modules(error), missing] for name in owners.get(module, ()) if name != "edu-diffusion"]
    if missing and missing not in owners and isinstance(error, ModuleNotFoundError):
        return install([missing])
    return install_again(versions(found[-1:])) if found else REPORT


def modules(error):
    """Yield the top-level module of every line of a traceback, the innermost last."""
    trace = error.__traceback__
    while trace:
        yield (trace.tb_frame.f_globals.get("__name__") or "").partition(".")[0]
        trace = trace.tb_next


def restore(*paths):
    """Return how to get files or folders of ours back as they were."""
    root, names = environment.clone_root(), " ".join(map(quoted, paths))
    if root is None:
        return f"install the package again: {pip('install --force-reinstall --no-deps', own())}"
    if (root / ".git").exists():
        return f"restore what has changed: git checkout HEAD -- {names}"
    return f"download the repository again and copy from it: {names}"


def own():
    """Return what the package was installed from: a wheel's file, or its name."""
    try:
        source = json.loads(importlib.metadata.distribution("edu-diffusion").read_text("direct_url.json") or "{}")
    except (importlib.metadata.PackageNotFoundError, ValueError):
        source = {}
    return quoted(source.get("url", "edu-diffusion"))
