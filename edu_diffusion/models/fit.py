"""What would make a plan fit: half precision, slicing, tiling, offload, a smaller batch; and what each costs in time.

The costs are estimates, in evaluations and transfers, not seconds: they are counted, not measured.
"""

import contextlib
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from ..errors import EduError
from .planning import Plan, configuration, plan, tiled, tiles

# What the allocators of CPU (Linux, Windows), CUDA and MPS say when they have no memory left.
FULL = ("can't allocate memory", "not enough memory", "out of memory")


class Option(NamedTuple):
    """One way to need less. evaluations: how many times the calls of the networks; transfers: bytes moved to the GPU."""

    name: str
    cost: str  # in words, an estimate
    plan: Plan
    evaluations: float = 1.0
    transfers: int = 0


def options(source: object = "base", gpu: bool = False, **settings: Any) -> list[Option]:
    """The ways to draw with less memory than plan(source, **settings), the quickest first; the last is all of them together.

    gpu: whether the networks run on one, so that weights can wait in main memory. Raises EduError where `plan` does.
    """
    now = plan(source, **settings)
    wanted = {**settings, "dtype": now.settings["dtype"]}
    found = [*slices(source, now, wanted), *halves(source, now, wanted), *batches(source, now, wanted)]
    found += offloads(source, now, wanted) if gpu else []
    found = [one for one in found if one.plan.peak < now.peak]
    if len(found) > 1:
        every = {k: v for one in found for k, v in one.plan.settings.items() if v != now.settings[k]}
        evaluations, transfers = max(one.evaluations for one in found), max(one.transfers for one in found)
        found.append(
            Option("all of these", "all these costs together", plan(source, **{**wanted, **every}), evaluations, transfers)
        )
    return found


def halves(source, now, settings):
    """Half precision: every number in two bytes."""
    if now.settings["dtype"] == torch.float32:
        cost = "the same evaluations; faster on most GPUs, slower on most CPUs"
        yield Option("float16", cost, plan(source, **{**settings, "dtype": torch.float16}))


def slices(source, now, settings):
    """The VAE decodes less at once."""
    if now.settings["batch"] > 1 and not now.settings["slicing"]:
        cost = f"the same evaluations; the VAE is called {now.settings['batch']} times in place of once"
        yield Option("VAE slicing", cost, plan(source, **{**settings, "slicing": True}))
    config = configuration(source)
    edges = [tiles(config, n) for n in now.settings["size"]]
    if max(map(len, edges)) > 1 and not now.settings["tiling"]:
        area = tiled(edges) * edges[0][0] * edges[1][0] / (now.settings["size"][0] * now.settings["size"][1])
        count, cost = len(edges[0]) * len(edges[1]), f"the VAE computes {area:.2f} times as much, since tiles overlap"
        yield Option(f"VAE tiling ({count} tiles)", cost, plan(source, **{**settings, "tiling": True}))


def batches(source, now, settings):
    """Fewer pictures at once, one run after the other."""
    sizes = {max(1, now.settings["batch"] // 2), 1} - {now.settings["batch"]}
    for size in sorted(sizes, reverse=True):
        runs = -(-now.settings["batch"] // size)
        cost = f"{runs} runs, {runs} times the calls, each on {size} of the {now.settings['batch']} pictures"
        yield Option(f"a batch of {size}", cost, plan(source, **{**settings, "batch": size}), float(runs))


def offloads(source, now, settings):
    """Weights wait in main memory until they are needed."""
    if now.settings["offload"] is None:
        whole = sum(now.weights.values())
        each = now.settings["steps"] * now.weights["unet"] + whole - now.weights["unet"]
        for kind, moved in (("model", whole), ("sequential", each)):
            cost = f"{gigabytes(moved)} are moved to the GPU for each run"
            yield Option(f"{kind} offload", cost, plan(source, **{**settings, "offload": kind}), 1.0, moved)


def gigabytes(n: float) -> str:
    """A number of bytes in words."""
    return f"{n / 1e9:.1f} GB" if n >= 1e8 else f"{n / 1e6:.0f} MB"


def advice(source: object, budget: int | None = None, gpu: bool = False, **settings: Any) -> str:
    """One sentence: what a picture takes, and what would take less. budget: bytes, of what is to fit; None is less than now."""
    now = plan(source, **settings)
    found = options(source, gpu, **settings)
    fitting = [one for one in found if budget is None or one.plan.peak <= budget]
    takes = (
        f"{now.words} takes about {gigabytes(now.peak)} ({gigabytes(now.resident[now.phase])} weights, "
        f"{gigabytes(now.phases[now.phase])} activations in the {now.phase})"
    )
    there = "" if budget is None else f", and {gigabytes(budget)} are there"
    less = "; ".join(f"{one.name} would take {gigabytes(one.plan.peak)} ({one.cost})" for one in fitting[:3])
    nothing = "nothing here makes it fit: use a smaller model, or a machine with more memory" if budget else "use a smaller size"
    return f"{takes}{there}: {less or nothing} (estimates)"


@contextlib.contextmanager
def memory_guard(source: object = "base", gpu: bool = False, **settings: Any) -> Iterator[None]:
    """Turn "out of memory" inside the block into one EduError with the plan's advice, and free what the block held.

    source, settings: as for `plan`, of what is drawn in the block. Any other exception passes unchanged. Afterwards the
    process goes on: the frames that held tensors are cleared, and a GPU's cache is emptied.
    """
    failed = False
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_full(error):
            raise
        failed = True
        release(error)
    if failed:  # outside the handler, so that nothing of the failed run is alive any more
        raise EduError(f"There is not enough memory: {told(source, gpu, settings)}.")


def is_full(error: BaseException) -> bool:
    """Whether an exception says that memory is used up: CUDA's, the CPU's, MPS's or Python's own."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or isinstance(error, RuntimeError) and any(text in str(error).lower() for text in FULL)


def release(error):
    """Clear an exception's frames, which hold the tensors of the failed run, and empty a GPU's cache."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)  # dropping it is not enough: contextlib's frame has it, too
        error = error.__context__
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def told(source, gpu, settings):
    """The advice in words; without a plan, where even that fails."""
    try:
        return advice(source, None, gpu, **settings)
    except Exception:  # memory may be too short for it, or the source is no pipeline
        return "draw fewer or smaller pictures at once, or use a smaller model"
