"""The packages of a kit: each wheel by a call of pip that resolves nothing, until every requirement of every wheel is there.

pip can download for another platform, but it judges conditions such as `sys_platform == "win32"` by the machine that it runs on:
for Windows it would leave out what only Windows needs. So the requirements are followed here, in the versions of constraints.txt.
"""

import sys
import zipfile
from email.parser import BytesParser

from edu_diffusion.errors import EduError
from edu_diffusion.install import torch_build
from edu_diffusion.install.building import PIP
from edu_diffusion.install.pip import Pip, say

MOST_ROUNDS = 30  # of downloads: a requirement of a requirement of a requirement ...
OLD_GLIBC = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)]
TAGS = {  # platform -> pip's names of it, from the most demanding
    "linux": [*OLD_GLIBC, "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"],
    "windows": ["win_amd64"],
    "macos": ["macosx_14_0_arm64"],
}
MARKERS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
}
CPYTHON = {"implementation_name": "cpython", "platform_python_implementation": "CPython"}


def download(root, folder, platform, version, log):
    """Fill a folder with the wheels that the project in `root` needs on a platform, with Python `version`, such as "3.12"."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = Pip(sys.executable, root, log)
    options = ["--only-binary=:all:", "--no-deps", "--dest", str(folder), "--python-version", version, "--implementation", "cp"]
    options += [word for tag in TAGS[platform] for word in ("--platform", tag)]
    fetch_torch(root, folder, platform, pip, options)
    for _ in range(MOST_ROUNDS):
        wanted = missing(folder, roots(root), platform, version)
        if not wanted:
            return
        fetch(pip, platform, ["-c", "constraints.txt", *options, *wanted])
    raise EduError(f"the packages for {platform} need ever more packages, at last {', '.join(wanted)}; {log} has pip's words")


def fetch_torch(root, folder, platform, pip, options):
    """Fetch torch, for Linux the build without CUDA where it can be had."""
    if any(folder.glob("torch-*.whl")):
        return
    pin = torch_build.torch_pin(root)
    brief = ["--retries", "1", "--timeout", "15", "--index-url", torch_build.CPU_INDEX]
    if platform != "linux" or pip.run(["download", *options, *brief, pin])[0]:
        fetch(pip, platform, [*options, pin])


def fetch(pip, platform, words):
    """Run `pip download`. Raises EduError when that fails."""
    code, warnings = pip.run(["download", *words])
    if code:
        last = next((line for line in reversed(warnings.splitlines()) if line.strip()), "no output")
        raise EduError(
            f"the packages for {platform} could not be downloaded ({last.strip()}); a kit is built with a network; "
            f"the full output is in {pip.log}"
        )
    say(f"Packages for {platform} so far are in {words[words.index('--dest') + 1]}.")


def roots(root):
    """Return what the installation asks for: the project's requirements, pip, and what builds the project."""
    import tomllib

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return [*project["project"]["dependencies"], PIP, *project["build-system"]["requires"], "editables>=0.3"]


# ---------------------------------------------------------------- what is missing


def missing(folder, wanted, platform, version):
    """Return the requirements for which a folder has no wheel, those of the wheels in it included."""
    from packaging.requirements import Requirement

    there, absent, seen = available(folder), {}, set()
    waiting = [(requirement, "") for requirement in map(Requirement, wanted)]
    while waiting:
        needed, extra = waiting.pop()
        name = canonical(needed.name)
        if (str(needed), extra) in seen or not applies(needed, platform, version, extra):
            continue
        seen.add((str(needed), extra))
        path = next((path for path, found in there.get(name, []) if needed.specifier.contains(found, prereleases=True)), None)
        if path is None:
            absent[name] = f"{needed.name}{needed.specifier}"
            continue
        waiting += [(inner, one) for inner in map(Requirement, requirements(path)) for one in ("", *needed.extras)]
    return sorted(absent.values())


def applies(requirement, platform, version, extra):
    """Return whether a requirement counts there; extra: the extra of its package that was asked for, or ""."""
    if requirement.marker is None:
        return not extra
    python = {"python_version": version, "python_full_version": f"{version}.0"}
    return requirement.marker.evaluate({**MARKERS[platform], **CPYTHON, **python, "extra": extra})


def available(folder):
    """Return {name: [(path, version)]} of the wheels in a folder."""
    from packaging.utils import parse_wheel_filename

    found = {}
    for path in sorted(folder.glob("*.whl")):
        name, version, *_ = parse_wheel_filename(path.name)
        found.setdefault(name, []).append((path, version))
    return found


def canonical(name):
    from packaging.utils import canonicalize_name

    return canonicalize_name(name)


def requirements(path):
    """Return the requirements in a wheel's metadata. Raises EduError for a damaged file."""
    try:
        with zipfile.ZipFile(path) as wheel:
            (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1)
            return BytesParser().parsebytes(wheel.read(name)).get_all("Requires-Dist") or []
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise EduError(f"{path} is damaged ({error}); delete it and start again") from error
