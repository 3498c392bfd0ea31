"""Less memory for a while: the allocator really fails, the old limit returns, and where there is no limit, tensors are counted."""

import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from edu_diffusion import models
from edu_diffusion.errors import EduError
from edu_diffusion.models import limit

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of the address space is Linux's")


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert not done.returncode, done.stderr
    return done.stdout.splitlines()


START = """
import resource, torch
torch.set_num_threads(1)
from edu_diffusion import models, steps
from edu_diffusion.errors import EduError
torch.zeros(8, 8) @ torch.zeros(8, 8)
now = lambda: resource.getrlimit(resource.RLIMIT_AS)
"""


@LINUX
def test_the_lessons_image_does_not_fit_and_the_next_one_is_drawn():
    """What lesson 16 does: one large tensor fails at once, so that small objects still have room."""
    code = """
pipe = models.load("base", "cpu")
steps.draw(pipe, "a cat", steps=1)
try:
    with models.memory_guard(pipe, size=4096), models.memory_limit(5e8):
        steps.draw(pipe, "a cat", z_T=torch.randn(1, 4, 1024, 1024))
except EduError as error:
    print(error)
print(now() == (resource.RLIM_INFINITY, resource.RLIM_INFINITY), tuple(steps.draw(pipe, "a cat", steps=1).shape))
most = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))  # ru_maxrss counts the parent's, too
print(int(most.split()[1]) < 2e6)
"""
    sentence, after, little = run(START + code)
    assert sentence.startswith("There is not enough memory: 1 picture of 4096 x 4096") and "float16 would take" in sentence
    assert (after, little) == ("True (1, 3, 64, 64)", "True")


@LINUX
def test_within_the_limit_nothing_happens_and_beyond_it_the_allocator_fails():
    code = """
with models.memory_limit(3e8):
    torch.zeros(25_000_000)
    try:
        torch.zeros(100_000_000)
    except RuntimeError as error:
        print("memory" in str(error))
torch.zeros(100_000_000)
"""
    assert run(START + code) == ["True"]


@LINUX
def test_a_lower_limit_stays_and_comes_back():
    code = """
low = 40 * 2**30
resource.setrlimit(resource.RLIMIT_AS, (low, resource.RLIM_INFINITY))
with models.memory_limit(100 * 2**30):
    print(now()[0] == low)
with models.memory_limit(3e8):
    print(now()[0] < low)
try:
    with models.memory_limit(3e8):
        1 / 0
except ZeroDivisionError:
    print(now()[0] == low)
"""
    assert run(START + code) == ["True"] * 3


@pytest.mark.parametrize("extra", [0, 5e7, -1, float("nan")])
def test_room_for_python_itself(extra):
    with pytest.raises(EduError, match="it must be a number of bytes, 1e8"), models.memory_limit(extra):
        pass


def test_where_the_system_has_no_limit_tensors_are_counted(monkeypatch):
    monkeypatch.setattr(limit, "sys", SimpleNamespace(platform="darwin"))
    with models.memory_limit(1e8):
        torch.zeros(20_000_000)
        torch.zeros(20_000_000)  # the first one is gone
    with pytest.raises(torch.OutOfMemoryError, match="120 MB are asked for, 100 MB are there"), models.memory_limit(1e8):
        kept = torch.zeros(15_000_000), torch.zeros(15_000_000)
        assert kept
    with pytest.raises(EduError, match="There is not enough memory: 1 picture of 64 x 64"):
        with models.memory_guard("base"), models.memory_limit(1e8):
            torch.zeros(30_000_000)


def test_with_cuda_it_is_the_fraction_of_the_gpus_memory(monkeypatch):
    """With torch's functions replaced: there is no GPU here."""
    set_to = []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (6e9, 8e9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 2e9)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: set_to.append("emptied"))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", set_to.append)
    with pytest.raises(KeyError), models.memory_limit(1e9, "cuda:0"):
        raise KeyError
    with models.memory_limit(9e9, torch.device("cuda")):
        pass
    assert set_to == ["emptied", 0.375, 1.0, "emptied", 1.0, 1.0]


def test_every_way_is_a_block():
    for way in (limit.of_tensors, limit.of_addresses if sys.platform.startswith("linux") else limit.of_tensors):
        with way(10**12), nullcontext():
            assert torch.ones(2).sum() == 2
