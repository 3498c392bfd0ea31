"""The device to compute on, and its precision."""

import os

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
    helps = torch.cuda.is_bf16_supported() if device.type == "cuda" else device.type == "cpu" and "AMX" in bf16_units()
    return torch.autocast(device.type, torch.bfloat16, enabled=helps)


def bf16_units() -> tuple[str, ...]:
    """The CPU's units for bf16 that may be used: "AVX512" for vectors, "AMX" for matrices.

    Without any, bf16 is emulated, and a training step takes ten times as long as in float32 or longer. With vectors alone it
    takes 1.3 to 1.5 times as long, and only with matrices less (tests/benchmarks/bf16.py prints the ratio).
    ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA limit PyTorch to older units, to try out an older computer; then none is used.
    """
    there = {"AVX512": "_is_avx512_bf16_supported", "AMX": "_is_amx_tile_supported"}
    newest = "AVX512" in torch.backends.cpu.get_cpu_capability()
    return tuple(unit for unit, has in there.items() if newest and allowed(unit) and getattr(torch.cpu, has, bool)())


def allowed(unit):
    """Whether oneDNN, PyTorch's library for layers, may use a unit for bf16; it has two names for the same setting."""
    most = (os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or "DEFAULT").upper()
    return most in ("DEFAULT", "ALL") or "AMX" in most or (unit == "AVX512" and most == "AVX512_CORE_BF16")
