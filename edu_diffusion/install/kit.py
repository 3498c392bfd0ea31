"""A kit: a folder that holds the project and every package, so that the first start needs no network. Standard library only.

`python3 -m edu_diffusion kit FOLDER` builds one:

    kit.json            what it is for: the version of Python, the platforms, the sha256 of every file
    wheels/linux/       the packages, a folder for each platform
    edu_diffusion/      the project
    python/linux/       empty, for a Python that needs no installation
    start.sh start.bat README.html
"""

import json
import os
import sys
from pathlib import Path

CARD, VARIABLE = "kit.json", "EDU_DIFFUSION_KIT"
PLATFORMS = {"linux": "linux", "win32": "windows", "darwin": "macos"}  # sys.platform -> the name of its folder


def card(folder):
    """Return what kit.json of a folder says, {} where there is none or it cannot be read."""
    try:
        found = json.loads((Path(folder) / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def this_python():
    return f"{sys.version_info[0]}.{sys.version_info[1]}"


def this_platform():
    return PLATFORMS.get(sys.platform, sys.platform)


def wheels(folder):
    """Return a kit's folder of packages for this platform."""
    return Path(folder).resolve() / "wheels" / this_platform()


def kits(root):
    """Return the kits that a project in `root` may be installed from: the one that start.sh names, and the one that it lies in."""
    named = os.environ.get(VARIABLE)
    return [Path(folder) for folder in (named, Path(root).parent) if folder and card(folder).get("files")]


def suits(folder):
    """Return whether a kit is for this Python and this system."""
    return card(folder).get("python") == this_python() and wheels(folder).is_dir()


def found(root):
    """Return the kit that the project in `root` is installed from, or None."""
    return next(filter(suits, kits(root)), None)


def source(root):
    """Return where the packages come from, for the message of the first start."""
    if found(root):
        return f"about 0.4 GB from the kit {found(root)}"
    others = [
        f"; the kit {folder} is not used: it is for Python {card(folder).get('python')} on "
        f"{' and '.join(card(folder).get('platforms', []))}, this is Python {this_python()} on {this_platform()}"
        for folder in kits(root)
    ]
    return "about 0.4 GB to download" + "".join(others[:1])


def settings(folder):
    """Return pip's settings for installing from a kit, also for the environments in which it builds: {variable: value}."""
    if folder is None:
        return {}
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels(folder).as_uri()}  # an address, because a path may have a space
