"""Less memory for a while: inside a block, a process may take only so many bytes more. For trying out what happens then.

On Linux the limit is that of the process's addresses, and the allocator itself fails. With CUDA it is the fraction of the
GPU's memory that this process may use. Elsewhere the operating system has no such limit: there the bytes of tensors are
counted, and the first one too many raises torch's own error, after it was made.
"""

import contextlib
import sys
from collections.abc import Iterator

import torch

from ..errors import EduError
from .live import Live


@contextlib.contextmanager
def memory_limit(extra: float, device: str | torch.device = "cpu") -> Iterator[None]:
    """Let the block take at most `extra` bytes more than the process has now; after it the old limit holds again.

    device: "cpu" or "cuda". Beyond the limit torch raises what it raises when memory is used up: see `memory_guard`. Small
    objects need room, too: give 100 MB or more. Raises EduError for less.
    """
    if not extra >= 1e8:
        raise EduError(f"extra is {extra!r}; it must be a number of bytes, 1e8 (100 MB) or more, so that Python can go on working.")
    kind = torch.device(device).type
    limits = {"cuda": of_gpu} if kind == "cuda" else {"linux": of_addresses}
    with limits.get(kind if kind == "cuda" else sys.platform, of_tensors)(int(extra)):
        yield


@contextlib.contextmanager
def of_addresses(extra):
    """Linux: the limit of the process's addresses, never above one that is already there."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm", encoding="ascii") as file:
        wanted = int(file.read().split()[0]) * resource.getpagesize() + extra
    least = min([wanted] + [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY])
    resource.setrlimit(resource.RLIMIT_AS, (least, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def of_gpu(extra):
    """CUDA: the fraction of the GPU's memory that this process may use."""
    whole = torch.cuda.mem_get_info()[1]
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + extra) / whole))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


class Limited(Live):
    """Counts as Live does, and raises once more than `most` bytes are alive."""

    def __init__(self, most):
        super().__init__()
        self.most = most

    def _add(self, storage, size=None):
        super()._add(storage, size)
        if self.now > self.most:
            raise torch.OutOfMemoryError(
                f"out of memory: {self.now / 1e6:.0f} MB are asked for, {self.most / 1e6:.0f} MB are there"
            )


def of_tensors(extra):
    """Anywhere: the bytes of the tensors that the block makes."""
    return Limited(extra)
