"""Side by side in one run: a step of the recipe `latent` as it is, and with its networks fused by torch.compile.

    python3 tests/benchmarks/compiled.py

Prints seconds a step for both and their ratio, alternating, best of eight each, and what compiling took.
"""

import time

from edu_diffusion import train


def timed(progress):
    """Seconds that the next step of a training takes."""
    start = time.perf_counter()
    next(progress)
    return time.perf_counter() - start


def main():
    plain, fused = (train.RECIPES["latent"](steps=100, device="cpu", compiled=c) for c in (False, True))
    first = timed(plain), timed(fused)
    times = [(timed(plain), timed(fused)) for _ in range(10)][2:]
    best = [min(column) for column in zip(*times)]
    print(f"plain {best[0]:.3f} s, fused {best[1]:.3f} s a step: fused is {best[0] / best[1]:.2f} times as fast; "
          f"compiling took {first[1] - first[0]:.0f} s")


if __name__ == "__main__":
    main()
