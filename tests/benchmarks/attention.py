"""Side by side in one run: a U-Net training step with fused attention, and with plain attention.

    python3 tests/benchmarks/attention.py

Prints seconds per step for both and their ratio, alternating, best of five each (the reason for
plain_attention in train/loop.py).
"""

import time

import torch

from edu_diffusion import models
from edu_diffusion.models import autocast


def step(unet, z, c):
    start = time.perf_counter()
    with autocast(z.device):
        loss = unet(z, 500, c).sample.square().mean()
    loss.backward()
    return time.perf_counter() - start


def main():
    fused, plain = models.build_unet(), models.build_unet()
    plain.set_default_attn_processor()
    z, c = torch.randn(32, 4, 16, 16), torch.randn(32, models.TOKENS, models.WIDTH)
    times = [(step(fused, z, c), step(plain, z, c)) for _ in range(6)][1:]
    best = [min(column) for column in zip(*times)]
    print(f"fused {best[0]:.3f} s, plain {best[1]:.3f} s a step: plain is {best[0] / best[1]:.2f} times as fast")


if __name__ == "__main__":
    main()
