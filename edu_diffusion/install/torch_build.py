"""Choose a build of torch: PyPI's for Linux includes gigabytes of CUDA that most laptops cannot use."""

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from edu_diffusion.install.pip import SAFELY, say

CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def install_torch(root, pip):
    """Install torch alone, by preference: what pip would choose if that needs no CUDA, then the CPU index.

    `pip`: the environment's, see pip.Pip. Raises EduError when no build can be installed.
    """
    pin = torch_pin(root)
    found = resolve(pin, root, pip) if sys.platform.startswith("linux") else []
    cuda = needs_cuda(found)
    if cuda and not has_nvidia() and from_cpu_index(pin, pip):
        return
    if cuda:
        why = "" if has_nvidia() else "torch's CPU build is not available here, only the one for NVIDIA cards: "
        say(
            f"{why}torch with CUDA is {size(found)} to download, and about twice that on disk. "
            f"Ctrl-C stops it; the next start tries again."
        )
    pip("torch", "install", "-c", "constraints.txt", pin)


def from_cpu_index(pin, pip):
    """Try the public index of builds without CUDA, with short timeouts; return success."""
    brief = ("--no-deps", "--retries", "1", "--timeout", "15")
    return pip("torch's CPU build", "install", *brief, "--index-url", CPU_INDEX, pin, may_fail=True)


def installed_torch(pip):
    """Return the exact version, such as 2.13.0+cpu: pinning it keeps pip from trying others."""
    code = "from importlib.metadata import version; print(version('torch'))"
    return subprocess.check_output([pip.python, *SAFELY, "-c", code], text=True).strip()


def torch_pin(root):
    """Return the line of constraints.txt that pins torch."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.strip() for line in lines if line.startswith("torch=="))


def has_nvidia():
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia").exists()


def resolve(pin, root, pip):
    """Return pip's report (a list of what it would install) for one requirement, without downloading it."""
    report = root / ".venv" / "torch.json"
    pip(
        "torch (choosing a build)",
        "install",
        "--quiet",
        "--dry-run",
        "--ignore-installed",
        "-c",
        "constraints.txt",
        "--report",
        str(report),
        pin,
    )
    return json.loads(report.read_text(encoding="utf-8"))["install"]


def needs_cuda(found):
    return any(item["metadata"]["name"].lower().startswith(("nvidia-", "cuda-")) for item in found)


def size(found):
    """Return the download size of a resolved set as text, from the servers' answers where they give one."""
    sizes = [file_size(item["download_info"]["url"]) for item in found]
    known = sum(number for number in sizes if number)
    if all(sizes):
        return f"{known / 1e9:.1f} GB"
    return f"more than {known / 1e9:.1f} GB" if known > 1e9 else "about 3 GB (an estimate, the server gives no sizes)"


def file_size(url):
    """Return the size of the file at a URL in bytes, or 0 if it is unknown."""
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.headers.get("Content-Length") or 0)
    except (OSError, ValueError):
        return 0
