"""A training step in float32 and in bf16, on this CPU and limited to AVX2: seconds of CPU time, and the ratio.

    python3 tests/benchmarks/bf16.py

The reason for bf16_units in models/device.py: bf16 pays only where the CPU has units for bf16 matrices (AMX). One thread;
the two take turns, and the shortest of three counts. Other programs may run meanwhile: only CPU time is counted.
"""

import argparse
import os
import subprocess
import sys
import time

import torch

from edu_diffusion import models
from edu_diffusion.models.device import bf16_units
from edu_diffusion.train.ddpm import build_digit_unet, output
from edu_diffusion.train.loop import plain_attention

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def steps():
    """{name: a loss} of the models that lessons train."""
    unet, digits = plain_attention(models.build_unet()), build_digit_unet()
    z, c, t = torch.randn(16, 4, 16, 16), torch.randn(16, models.TOKENS, models.WIDTH), torch.randint(1000, (16,))
    x, labels, some = torch.randn(64, 1, 8, 8), torch.randint(10, (64,)), torch.randint(1000, (64,))
    vae, images = models.build_vae(), torch.rand(4, 3, 64, 64)
    return {
        "base U-Net, batch 16": lambda: unet(z, t, c).sample,
        "digit U-Net, batch 64": lambda: output(digits, labels)(x, some),
        "VAE, batch 4": lambda: vae(images).sample,
    }


def seconds(loss, bf16):
    """CPU seconds of one forward and backward pass."""
    begin = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        value = loss().float().square().mean()
    value.backward()
    return time.process_time() - begin


def table(turns):
    """Print the rows for this process."""
    torch.set_num_threads(1)
    print(f"\n{torch.backends.cpu.get_cpu_capability()}, units for bf16 in use: {', '.join(bf16_units()) or 'none'}")
    print("| training step | float32, s | bf16, s | bf16 takes |\n|---|---|---|---|")
    for name, loss in steps().items():
        times = [(seconds(loss, False), seconds(loss, True)) for _ in range(turns + 1)][1:]
        exact, rounded = map(min, zip(*times))
        print(f"| {name} | {exact:.3f} | {rounded:.3f} | {rounded / exact:.2f} times |", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--turns", type=int, default=3)
    options.add_argument("--here", action="store_true", help="only as this process is limited")
    args = options.parse_args()
    table(args.turns)
    if not args.here:
        subprocess.run([sys.executable, __file__, "--here", "--turns", "1"], env=os.environ | AVX2, check=True)


if __name__ == "__main__":
    main()
