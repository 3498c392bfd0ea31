"""What is shipped: the checkpoints' folders, what their card.json says, and on which base an adapter was trained."""

import json
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

ADAPTERS = {  # checkpoint: recipe
    "canny": "control",
    "segmentation": "control",
    "lora": "lora",
    "inversion": "inversion",
    "few_steps": "few_steps",
}


def shipped(name):
    """The folder of a shipped checkpoint."""
    return files.PACKAGE / "checkpoints" / name


def card(folder):
    """The facts in a folder's card.json. Raises EduError when it has none."""
    if not (Path(folder) / "card.json").is_file():
        raise EduError(f"{folder} has no card.json, so it is unclear what it contains; name a folder that a training recipe wrote.")
    return json.loads((Path(folder) / "card.json").read_text(encoding="utf-8"))


def read(path):
    """The content of a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def base_sha256():
    """The shipped base, identified by the checksum of its U-Net's weights."""
    return files.sha256(shipped("base") / "unet" / "diffusion_pytorch_model.safetensors")


def stale(name):
    """Whether a shipped adapter was trained on another base than the shipped one, or on an unrecorded one."""
    return card(shipped(name)).get("base_sha256") != base_sha256()
