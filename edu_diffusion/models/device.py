"""The device to compute on, and its precision."""

import torch

from ..errors import EduError


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The device to compute on: the one named, else cuda, else mps, else cpu.

    Raises EduError when the one named is not available. Returns torch.device.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    best = name or next(d for d in ("cuda", "mps", "cpu") if there[d])
    if not there.get(str(best).split(":")[0]):
        raise EduError(f"There is no device {best!r} here; use one of {[d for d in there if there[d]]}.")
    return torch.device(best)


def hardware(device: str | torch.device | None = None) -> str:
    """The hardware in use, for the model card: the graphics card's name, or the number of CPU cores in use."""
    own = pick_device(device)
    cores = torch.get_num_threads()
    return torch.cuda.get_device_name(own) if own.type == "cuda" else f"{cores} CPU core{'s' * (cores > 1)}"


def autocast(device: torch.device) -> torch.autocast:
    """bf16 arithmetic inside the block where it is faster on the hardware, no effect elsewhere."""
    has = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # most laptops from before 2022 lack it
    helps = torch.cuda.is_bf16_supported() if device.type == "cuda" else device.type == "cpu" and has()
    return torch.autocast(device.type, torch.bfloat16, enabled=helps)
