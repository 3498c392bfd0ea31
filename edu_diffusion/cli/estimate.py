"""What a picture will take, said before it is drawn: memory and minutes of a large model, and the memory of a large scale.

Memory is the plan of models/planning.py; minutes are its floating-point operations at half the speed of a matrix product
on this machine. Both are estimates. Above the memory that is there, nothing is started.
"""

import time
from pathlib import Path

from edu_diffusion.errors import EduError

from . import size

LARGE = 300_000_000  # bytes of weights: below, a picture takes seconds, and nothing is said
PIXELS = 256 * 256  # of a picture: below, a small model takes seconds
COPIES = 3  # of an enlarged image: itself, with its rows marked for PNG, and compressed
REACHED = 0.5  # of a matrix product's speed, by a whole U-Net


def before(settings, scale, device=None):
    """Refuse what cannot fit before any weights are read. Raises EduError; a name that is no model is left to `load`."""
    from edu_diffusion.models import path_of

    source, path = settings["model"], Path(settings["model"])
    if path.is_file():
        fit(f"{path.name} alone has", path.stat().st_size, free(device), "a smaller model, or a machine with more memory")
        return
    try:
        root = path_of(source)
    except EduError:
        return
    height, width = settings.get("size", (0, 0))
    if stored(root) >= LARGE or height * width > PIXELS:
        refuse(root, settings, scale, device)


def stored(root):
    """The bytes of the weight files in a pipeline's folder."""
    return sum(path.stat().st_size for path in root.glob("*/*.safetensors"))


def refuse(source, settings, scale, device=None):
    """Raise EduError if the memory that is there is less than the plan, or than the enlarged image."""
    from edu_diffusion.models import advice, plan

    room, gpu = free(device), device_of(device) != "cpu"
    chosen = {"steps": settings["steps"], "guidance": settings["guidance"] != 1, "size": settings.get("size")}
    now = plan(source, **chosen)
    if now.peak > room:
        raise EduError(advice(source, room, gpu, **chosen))
    enlarged(*now.settings["size"], scale)


def enlarged(height, width, scale):
    """Raise EduError for an enlarged image that main memory cannot hold."""
    taken = COPIES * 3 * height * width * scale**2
    what = f"an image of {width * scale} x {height * scale} pixels takes"
    fit(what, taken, free("cpu"), "a smaller --scale: it only makes each pixel a larger square")


def fit(what, taken, room, instead):
    """Raise EduError if so many bytes are not there."""
    if taken > room:
        raise EduError(f"{what} about {taken / 1e9:.1f} GB, and {room / 1e9:.1f} GB are free; use {instead}")


def sentences(pipe, settings, scale):
    """Yield what a large model or picture will take; refuse what does not fit. Nothing where it takes seconds."""
    height, width = settings.get("size") or size.own(pipe)
    enlarged(height, width, scale)
    if sum(p.nbytes for p in pipe.unet.parameters()) < LARGE and height * width <= PIXELS:
        return
    from edu_diffusion.models import plan

    now = plan(pipe, (height, width), steps=settings["steps"], guidance=settings["guidance"] != 1)
    needed = now.phases[now.phase]  # the weights are there already
    fit(f"{now.words} takes, besides the weights,", needed, free(pipe.device), "float16, or a smaller model")
    seconds = now.flops / (REACHED * speed(pipe.device, pipe.unet.dtype))
    yield f"{now.words}: about {now.peak / 1e9:.1f} GB and {minutes(seconds)} (estimates)."


def minutes(seconds):
    """A time in words."""
    return f"{max(seconds, 1):.0f} seconds" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def speed(device, dtype):
    """Floating-point operations a second in a matrix product here: the best of three."""
    import torch

    n, best = 1024, float("inf")
    x = torch.randn(n, n, device=device).to(dtype)
    for _ in range(3):
        begin = time.perf_counter()
        (x @ x).sum().item()
        best = min(best, time.perf_counter() - begin)
    return 2 * n**3 / best


def device_of(device):
    """The kind of a device: "cpu", "cuda" or "mps"."""
    from edu_diffusion.models import pick_device

    return pick_device(device).type


def free(device=None):
    """The bytes that are free: of a CUDA device its own, else of main memory."""
    import psutil
    import torch

    if device_of(device) == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return psutil.virtual_memory().available
