"""Which arithmetic a CPU gets: bf16 where it has units for matrices of bf16, and the environment lets PyTorch use them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import edu_diffusion
from edu_diffusion import models
from edu_diffusion.models import device

ROOT = Path(edu_diffusion.__file__).parents[1]
LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
CODE = """
import torch
for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
    setattr(torch.cpu, name, lambda: True)
from edu_diffusion import models
from edu_diffusion.models.device import bf16_units
from edu_diffusion.train.pace import Weights, quickest
line = torch.nn.Linear(1, 1)
with Weights(line).autocast():
    print(line(torch.ones(1, 1)).dtype, torch.is_autocast_enabled("cpu"), torch.backends.cpu.get_cpu_capability(), *bf16_units())
"""


def in_a_process(**limits):
    """What is used by a Python that was started with these limits, on a CPU that would have every unit."""
    bare = {name: value for name, value in os.environ.items() if name not in LIMITS} | {"PYTHONPATH": str(ROOT)} | limits
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], env=bare, capture_output=True, text=True)
    assert not ran.returncode, ran.stderr
    return ran.stdout.split()


@pytest.mark.parametrize(
    "limits",
    [
        {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        {"DNNL_MAX_CPU_ISA": "avx2"},
        {"ATEN_CPU_CAPABILITY": "avx2"},
        {"ATEN_CPU_CAPABILITY": "default"},
        {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE", "ATEN_CPU_CAPABILITY": "avx512"},
    ],
    ids=str,
)
def test_a_cpu_that_is_limited_computes_in_float32(limits):
    dtype, on, *_, last = in_a_process(**limits)
    assert (dtype, on) == ("torch.float32", "False") and last not in ("AMX", "bf16")


def test_without_a_limit_the_units_of_a_new_cpu_are_used():
    dtype, on, capability, *units = in_a_process()
    new = capability == "AVX512"
    assert units == (["AVX512", "AMX"] if new else [])
    assert (dtype, on) == (("torch.bfloat16", "True") if new else ("torch.float32", "False"))


def cpu(monkeypatch, vectors, matrices, capability="AVX512", **limits):
    """Let this CPU have units for vectors and matrices of bf16, and these limits."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: vectors, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: matrices, raising=False)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    for name in LIMITS:
        monkeypatch.delenv(name, raising=False)
    for name, value in limits.items():
        monkeypatch.setenv(name, value)


def autocast():
    with models.autocast(torch.device("cpu")):
        return torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize(
    "vectors, matrices, units", [(True, True, ("AVX512", "AMX")), (True, False, ("AVX512",)), (False, False, ())]
)
def test_autocast_needs_units_for_matrices(vectors, matrices, units, monkeypatch):
    cpu(monkeypatch, vectors, matrices)
    assert device.bf16_units() == units and autocast() == matrices


@pytest.mark.parametrize(
    "most, units",
    [
        ("DEFAULT", ("AVX512", "AMX")),
        ("all", ("AVX512", "AMX")),
        ("AVX512_CORE_AMX", ("AVX512", "AMX")),
        ("avx10_1_512_amx", ("AVX512", "AMX")),
        ("AVX512_CORE_BF16", ("AVX512",)),
        ("AVX512_CORE", ()),
        ("AVX2_VNNI_2", ()),
        ("SSE41", ()),
    ],
)
def test_onednn_may_be_limited(most, units, monkeypatch):
    cpu(monkeypatch, True, True, ONEDNN_MAX_CPU_ISA=most)
    assert device.bf16_units() == units


@pytest.mark.parametrize("capability", ["AVX2", "DEFAULT", "NO AVX", "SVE256"])
def test_pytorch_may_be_limited(capability, monkeypatch):
    cpu(monkeypatch, True, True, capability)
    assert device.bf16_units() == () and not autocast()


def test_an_older_pytorch_cannot_tell(monkeypatch):
    cpu(monkeypatch, True, True)
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported")
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported")
    assert device.bf16_units() == () and not autocast()
