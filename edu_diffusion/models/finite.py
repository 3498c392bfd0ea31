"""Weights that are not finite: one NaN makes every picture black or grey, and the library says nothing.

The numbers of a file are looked at once, and again when the file has changed, as its checksum is (data/checksums.py).
"""

import os

from ..errors import EduError
from .sentences import few

MASK = "attn_mask"  # a mask that some checkpoints keep: minus infinity is meant
_seen: set[tuple] = set()  # (path, size, time of change) of files without such numbers


def check(path, file):
    """Raise EduError if a tensor in a .safetensors file is not finite. path: the file's; file: the same, opened."""
    found = os.stat(path)
    now = (path, found.st_size, found.st_mtime_ns)
    if now in _seen:
        return
    names = [name for name in file.keys() if not name.endswith(MASK)]  # noqa: SIM118
    bad = sorted(name for name in names if not finite(file.get_tensor(name)))
    if bad:
        raise EduError(
            f"{path} has numbers that are not finite (NaN or infinite) in {few(bad)}: it was damaged, or saved by a training "
            "run that failed; copy or download it again, or train it with a lower learning rate."
        )
    _seen.add(now)


def finite(tensor):
    """Whether all numbers of a tensor are finite.

    The smallest and the largest tell: NaN makes both NaN. This is ten times as fast as isfinite, which writes a tensor.
    """
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    whole = tensor.float() if tensor.element_size() == 1 else tensor  # 8-bit floats have no minimum in torch
    return all(end.isfinite().item() for end in whole.aminmax())
