"""The stages checks and measures: everything besides training that runs on the device, each part limited in time."""

import contextlib
import copy
import functools
import importlib
import signal
import tempfile
import time
import traceback

import torch

from edu_diffusion import metrics as judges
from edu_diffusion.data.world import prompts

NEAR = 2 / 255  # of the pictures' range: how far cpu and device may differ on average
MEASURES = {  # name: (function, its arguments, those of a quick look, seconds at most)
    "evaluate": ("edu_diffusion.metrics:evaluate", {}, {"limit": 2, "seeds": (0,)}, 40),
    "calibration": ("edu_diffusion.metrics:calibration_scores", {}, {"seeds": 3}, 40),
    "by_steps": ("edu_diffusion.metrics:by_steps", {}, {"n": 250, "counts": (1, 20), "resamples": 2}, 40),
    "quality": ("edu_diffusion.metrics:quality_scores", {"seeds": (0, 1000, 2000)}, {"limit": 40}, 20),
    "choose": ("edu_diffusion.metrics:choose", {}, {"limit": 2}, 20),
    "canny": ("edu_diffusion.metrics:control_scores", {"seeds": (0,)}, {"seeds": (0,), "limit": 2}, 40),
    "segmentation": ("edu_diffusion.metrics:control_scores", {"seeds": (0,)}, {"seeds": (0,), "limit": 2}, 40),
    "variety": ("edu_diffusion.metrics:variety_scores", {}, {"seeds": 2}, 20),
    "effect": ("edu_diffusion.metrics:effect", {}, {"limit": 2, "seeds": 2}, 20),
    "habits": ("edu_diffusion.metrics:habits", {"seeds": 32}, {"seeds": 2}, 30),
    "evaluate_wide": (
        "edu_diffusion.metrics:evaluate",
        {"tier": "wide", "seeds": (0,)},
        {"tier": "wide", "seeds": (0,), "limit": 2},
        40,
    ),
}
QUICK = ("lenet", "control", "lora")  # the recipes of a quick look


@contextlib.contextmanager
def within(seconds):
    """Raise TimeoutError in the block after this many seconds, on systems with such an alarm."""

    def late(*_):
        raise TimeoutError(f"more than {seconds:.0f} seconds")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before, began = signal.signal(signal.SIGALRM, late), time.monotonic()
    outer, _ = signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.1))  # such blocks may stand in one another
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - began), 0.1) if outer else 0)
        signal.signal(signal.SIGALRM, before)


def attempt(function, seconds):
    """{"value": the return value, "seconds"}, or {"failed": its last line}; a missing package is "skipped"."""
    began = time.monotonic()
    try:
        with within(seconds):
            found = {"value": function()}
    except ImportError as error:
        found = {"skipped": str(error)}
    except Exception as error:  # one failure must not take the others along
        where = traceback.extract_tb(error.__traceback__)[-1]
        found = {"failed": f"{type(error).__name__}: {error} ({where.filename.rsplit('/', 1)[-1]}:{where.lineno})"}
    return found | {"seconds": round(time.monotonic() - began, 1)}


def check(pipe, device, out, seconds, quick=False):
    """The stage checks: the same images on CPU and device, then one step of every recipe. Returns facts."""
    from edu_diffusion.train import RECIPES

    tasks = {"same_pictures": (lambda: same_pictures(pipe, device), seconds)}
    for name in sorted(QUICK if quick else RECIPES, key="base".__eq__):  # base, the longest, comes last
        tasks[f"recipe {name}"] = (lambda name=name: one_step(name, device), seconds)
    return one_by_one("checks", tasks, out, seconds)


def one_by_one(stage, tasks, out, seconds):
    """Attempt the tasks, {name: (function, maximum seconds)}, until the stage's time is over. Returns facts."""
    end, found = time.monotonic() + seconds, {}
    for name, (task, most) in tasks.items():
        left = min(most, end - time.monotonic())
        found[name] = attempt(task, left) if left > 1 else {"skipped": "no time is left"}
        out.say(f"{stage}: {name}: {str(found[name])[:300]}")
        out.note(stage, found)
    return found


@torch.no_grad()
def same_pictures(pipe, device, n=6):
    """The difference between images of the same prompts and seeds on CPU and device, as a share of their range."""
    rows = prompts("core")[:n]
    precision(device, "highest")
    drawn = [judges.draw(copy.deepcopy(pipe).to(where), rows).cpu() for where in ("cpu", device)]
    precision(device, "high")
    apart = ((drawn[0] - drawn[1]).abs() / 2).mean((1, 2, 3))
    return {"mean": apart.mean().item(), "most": apart.max().item(), "fine": bool(apart.mean() < NEAR)}


def precision(device, kind):
    """The precision of float32 products on a GPU: "highest", or "high" (TF32)."""
    if device.type == "cuda":
        torch.set_float32_matmul_precision(kind)
        torch.backends.cudnn.allow_tf32 = kind != "highest"


def one_step(name, device):
    """One training step of a recipe; returns its loss."""
    from edu_diffusion.train import RECIPES

    with tempfile.TemporaryDirectory() as folder:
        run = {"run": folder} if name == "base" else {}
        *_, last = RECIPES[name](minutes=None, steps=1, device=str(device), **run)
    return last.loss


def measure(pipe, judge, nets, out, seconds, quick=False):
    """The stage measures: every available function of MEASURES. nets: ControlNets, {kind: net}. Returns facts."""
    tasks = {}
    for name, (where, usual, few, most) in MEASURES.items():
        given = (nets[name], name) if name in nets else (judge,)
        if name in nets or not where.endswith("control_scores"):
            tasks[name] = (functools.partial(call, where, pipe, *given, **(few if quick else usual)), most)
    return one_by_one("measures", tasks, out, seconds)


def call(where, *given, **more):
    """module:function, called with these arguments."""
    module, name = where.split(":")
    return getattr(importlib.import_module(module), name)(*given, **more)
