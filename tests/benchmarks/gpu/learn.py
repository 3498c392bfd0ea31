"""The training loop of every stage: AdamW to a deadline in seconds, moving average, without synchronisation points."""

import contextlib
import json
import os
import pathlib
import time

import torch
from safetensors.torch import save_file

from edu_diffusion.models import autocast

WARMUP = 0.03  # share of the run
EVERY = 5.0  # seconds between two reports
KEEP = 60.0  # seconds between two files
MEAN = 0.02  # how much of the newest loss goes into the running one


class Out:
    """The folder of results: log.txt, results.json and weights, each file written atomically."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.results = {}
        self.began = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)

    def say(self, text):
        """Print a line, and append it to log.txt."""
        line = f"{time.monotonic() - self.began:6.1f}  {text}"
        print(line, flush=True)
        with open(self.folder / "log.txt", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def note(self, stage, facts):
        """Store a stage's results under its name in results.json."""
        self.results[stage] = facts
        stage_file = self.folder / ".results.partial"
        stage_file.write_text(json.dumps(self.results, indent=1, default=str) + "\n", encoding="utf-8")
        os.replace(stage_file, self.folder / "results.json")

    def weights(self, name, tensors):
        """Write name.safetensors in half precision."""
        partial = self.folder / f".{name}.partial"
        save_file({key: value.detach().half().cpu().contiguous() for key, value in tensors.items()}, partial)
        os.replace(partial, self.folder / f"{name}.safetensors")


def learn(name, module, loss, out, *, seconds, batch, lr, steps=None, ema=0.999, keep=None):
    """Minimise loss() over the trainable parameters of `module`, which then holds their moving average. Returns facts, a dict.

    The learning rate rises during WARMUP of the run and falls linearly to zero at its end: after `seconds`, or `steps`
    if that is sooner. keep: called now and then, and at the end, with the average in place. Raises RuntimeError when the loss
    is not finite.
    """
    params = [p for p in module.parameters() if p.requires_grad]
    plain = [p.detach() for p in params]
    average = [p.clone() for p in plain]
    optimiser = torch.optim.AdamW(params, lr, betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
    step = 0
    mean = None
    begun = time.monotonic()
    told, kept = begun, begun
    while (share := done(begun, seconds, step, steps)) < 1:
        optimiser.param_groups[0]["lr"] = lr * min(1, max(share, 1e-3) / WARMUP) * (1 - share)
        value = descend(loss, params, optimiser)
        torch._foreach_lerp_(average, plain, 1 - min(ema, (1 + step) / (10 + step)))
        step, mean = step + 1, value if mean is None else torch.lerp(mean, value, MEAN)
        if time.monotonic() - told > EVERY:
            told = time.monotonic()
            report(name, step, mean, step * batch / (told - begun), out)
        if keep and time.monotonic() - kept > KEEP:
            kept = time.monotonic()
            with swapped(plain, average):
                keep()
    number, took = finite(mean), time.monotonic() - begun
    torch._foreach_copy_(plain, average)
    if keep:
        keep()
    facts = {
        "steps": step,
        "seconds": round(took, 1),
        "samples": step * batch,
        "samples_per_second": round(step * batch / took),
        "loss": round(number, 5),
        "batch": batch,
        "lr": lr,
    }
    out.say(f"{name}: {facts}")
    return facts


def done(begun, seconds, step, steps):
    """Fraction of the run that is done; at least one step is always taken."""
    return step and max((time.monotonic() - begun) / seconds, step / steps if steps else 0)


def descend(loss, params, optimiser):
    """One optimiser step; returns the loss, still on the device."""
    with autocast(params[0].device):
        value = loss()
    optimiser.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    optimiser.step()
    return value.detach().float()


def report(name, step, mean, pace, out):
    out.say(f"{name}: step {step}, loss {finite(mean):.4f}, {pace:,.0f} samples/s")


def finite(mean):
    """The loss as a number; this waits for the device."""
    number = float("nan") if mean is None else float(mean)
    if not abs(number) < float("inf"):
        raise RuntimeError(f"The loss became {number}: lower the learning rate.")
    return number


@contextlib.contextmanager
def swapped(params, average):
    """Inside the block the parameters hold their moving average."""
    own = [p.clone() for p in params]
    torch._foreach_copy_(params, average)
    try:
        yield
    finally:
        torch._foreach_copy_(params, own)
