"""Half-trained states of the lessons' small models, from which a training goes on where a computer is too slow to get that far.

checkpoints/half_trained holds for each a file of float16 weights and, in its metadata, the number of steps that they took and the
speed below which a training goes on from them; tests/benchmarks/half_trained.py makes them.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch

from ..data import files
from ..data.checksums import check
from ..errors import said

FOLDER = "half_trained"
LOOK = 5  # steps after which the speed is measured


class Half(NamedTuple):
    """A half-trained state. steps: how many it took; speed: steps in a second below which it is used; weights: {name: tensor}."""

    steps: int
    speed: float
    weights: dict[str, torch.Tensor]


def half_trained(name: str, folder: str | os.PathLike | None = None) -> Half:
    """Read a state such as "ddpm_eps", the shipped one or that in a folder. Raises EduError when it is missing or damaged."""
    from safetensors import safe_open

    folder = files.folder("checkpoints", FOLDER) if folder is None else Path(folder)
    check(folder)
    with safe_open(folder / f"{name}.safetensors", "pt") as file:
        facts, weights = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return Half(int(facts["steps"]), float(facts["speed"]), weights)


def put(half: Half, names: Iterable[str], *copies: Iterable[torch.Tensor]) -> None:
    """Copy a state's weights, in the order of the names, into each list of tensors."""
    with torch.no_grad():
        for tensors in copies:
            for name, tensor in zip(names, tensors, strict=True):
                tensor.copy_(half.weights[name])


def told(half: Half, speed: float) -> str:
    """The sentence for whoever watches. speed: the training steps that this computer makes in a second."""
    return said(
        "This computer makes {:.2g} training steps in a second; the lesson counts on {:.2g} at least. "
        "So the training goes on from a half-trained state: {} steps, made beforehand with the usual loss.",
        speed,
        half.speed,
        half.steps,
    )
