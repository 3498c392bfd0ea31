"""What a killed training run needs to resume: one safetensors file with its checksum, and the one before it."""

import hashlib
import os
import pathlib
import shutil
import warnings
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..data import layout
from ..errors import EduError

MOMENTS = ("exp_avg", "exp_avg_sq")
PARTS = {
    "weight": "the weights",
    "average": "their moving average (EMA), which is what is saved as the model",
    "exp_avg": "Adam's moving average of the gradient",
    "exp_avg_sq": "Adam's moving average of the squared gradient",
}


class State:
    """The weights, their moving average and the optimiser's moments, saved and restored in place.

    Each save is renamed into place when it is complete, and the save before it stays as state.previous.safetensors: if the
    newest one is damaged, the run goes on from there and says so.
    """

    def __init__(self, run, weights, average, optimiser, writes=True):
        self.run = pathlib.Path(run) if run else None
        self.writes = writes
        self.weights = weights
        self.average = average
        self.optimiser = optimiser
        self.saved = 0  # the step of the state in the folder

    def save(self, step, seconds, mean):
        """Save the state after so many steps; nothing without a run folder, or if it is saved already."""
        if self.run is None or not self.writes or step == self.saved:
            return
        self.run.mkdir(parents=True, exist_ok=True)
        tensors, partial = self.tensors(), state_file(self.run).with_suffix(".partial")
        facts = {"step": step, "seconds": seconds, "mean": mean, "arithmetic": self.weights.arithmetic, "sha256": digest(tensors)}
        save_file(tensors, partial, {k: str(v) for k, v in facts.items()})
        if state_file(self.run).exists():
            put_aside(state_file(self.run), previous_file(self.run))
        partial.replace(state_file(self.run))
        self.saved = step

    def tensors(self):
        """{name: tensor on the CPU}"""
        tensors = {f"average.{n}": a for n, a in zip(self.weights.names, self.average)}
        for name, w in zip(self.weights.names, self.weights.masters):
            tensors[f"weight.{name}"] = w.detach()
            tensors |= {f"{key}.{name}": self.optimiser.state[w][key] for key in MOMENTS if w in self.optimiser.state}
        return {name: value.contiguous().cpu() for name, value in tensors.items()}

    def load(self):
        """(step, seconds, mean loss) of the saved state, restored in place; (0, 0, None) when there is none."""
        if started_in(self.run) is None:
            return 0, 0.0, None
        facts, tensors = newest(self.run)
        if {f"weight.{name}" for name in self.weights.names} - set(tensors):
            raise EduError(f"{self.run} holds the state of another recipe: choose another folder, or start over with --fresh.")
        with torch.no_grad():
            self.put(tensors, float(facts["step"]))
        self.weights.put()
        self.saved = int(facts["step"])
        return self.saved, float(facts["seconds"]), float(facts["mean"])

    def put(self, tensors, step):
        """Copy tensors into the weights, their average and the optimiser."""
        for name, w, a in zip(self.weights.names, self.weights.masters, self.average):
            w.copy_(tensors[f"weight.{name}"])
            a.copy_(tensors[f"average.{name}"])
            # same memory layout as the weight: the fused optimiser walks through both in memory order
            moments = {key: torch.empty_like(w).copy_(tensors[f"{key}.{name}"]) for key in MOMENTS if f"{key}.{name}" in tensors}
            if moments:
                self.optimiser.state[w] = {"step": torch.tensor(step), **moments}


def put_aside(path, other):
    """Give a file a second name, replacing what has it: the first name exists all the time."""
    partial = other.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(path, partial)
    except OSError:  # a file system without links
        shutil.copyfile(path, partial)
    partial.replace(other)


def newest(run):
    """(facts, tensors) of the newest state that is undamaged. Raises EduError when there is none."""
    damaged = []
    for path in filter(pathlib.Path.exists, (state_file(run), previous_file(run))):
        found = undamaged(path)
        if found and damaged:
            warnings.warn(
                f"{damaged[0]} is damaged; the training goes on from the state before it, step {found[0]['step']}.", stacklevel=2
            )
        if found:
            return found
        damaged.append(path)
    raise EduError(f"{damaged[0]} is damaged, and there is no earlier state: start over with --fresh or in another folder.")


def undamaged(path):
    """(facts, tensors) of a state file; None if it cannot be read or its checksum differs."""
    try:
        with safe_open(path, "pt") as file:
            facts, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return None
    whole = facts and ("sha256" not in facts or facts["sha256"] == digest(tensors))  # an older state has no checksum
    return (facts, tensors) if whole else None


def digest(tensors):
    """sha256 over the names and numbers of tensors, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(name.encode())
        total.update(tensors[name].flatten().contiguous().view(torch.uint8).numpy())
    return total.hexdigest()


def state_file(run: str | os.PathLike) -> pathlib.Path:
    """The file with a run folder's saved state."""
    return pathlib.Path(run) / "state.safetensors"


def previous_file(run: str | os.PathLike) -> pathlib.Path:
    """The file with the state before it."""
    return pathlib.Path(run) / "state.previous.safetensors"


def metadata(run):
    """The facts of the newest state whose header can be read; None when there is none."""
    for path in filter(pathlib.Path.exists, (state_file(run), previous_file(run))):
        try:
            with safe_open(path, "pt") as file:
                return file.metadata()
        except (SafetensorError, OSError):
            continue
    return None


def started_in(run: str | os.PathLike | None) -> str | None:
    """The arithmetic of the training run in a folder; None when there is none."""
    if run is None or not (state_file(run).exists() or previous_file(run).exists()):
        return None
    return (metadata(run) or {}).get("arithmetic", "autocast")


def about(run: str | os.PathLike) -> dict:
    """Training time of a run folder so far: {"steps": ..., "minutes": ...}. Raises EduError when it holds no readable state."""
    facts = metadata(run)
    if facts is None:
        raise EduError(f"{run} holds no training state that can be read: train there first.")
    return {"steps": int(facts["step"]), "minutes": round(float(facts["seconds"]) / 60, 1)}


class Contents(NamedTuple):
    """What is in a training checkpoint: the step, and for each part the number of its tensors, its numbers and its bytes."""

    step: int
    minutes: float
    parts: dict[str, "Part"]

    @property
    def bytes(self) -> int:
        """The bytes of all parts."""
        return sum(part.bytes for part in self.parts.values())

    def __str__(self) -> str:
        lines = [f"step {self.step}, after {self.minutes} minutes, {self.bytes / 1e6:.1f} MB"]
        return "\n".join(lines + [f"{n:10}{p.tensors:5} tensors{p.bytes / 1e6:8.1f} MB  {p.what}" for n, p in self.parts.items()])


class Part(NamedTuple):
    """One part of a training checkpoint."""

    what: str
    tensors: int
    numbers: int
    bytes: int


def contents(run: str | os.PathLike) -> Contents:
    """What is in a run folder's saved state, from its header alone; print it for a table.

    Weights, their moving average and Adam's two averages have the same shapes, so that a training checkpoint is about four
    times the model: only the average is kept in the end. Raises EduError when there is no readable state.
    """
    facts = about(run)
    path = next(path for path in (state_file(run), previous_file(run)) if path.exists() and readable(path))
    tensors, parts = layout.read(path).tensors, {}
    for name, what in PARTS.items():
        mine = [one for key, one in tensors.items() if key.startswith(f"{name}.")]
        numbers = sum(torch.Size(one.shape).numel() for one in mine)
        parts[name] = Part(what, len(mine), numbers, sum(one.end - one.start for one in mine))
    return Contents(facts["steps"], facts["minutes"], parts)


def readable(path):
    """Whether the header of a state file can be read."""
    try:
        return bool(layout.read(path).metadata)
    except EduError:
        return False
