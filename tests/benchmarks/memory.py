"""Predicted bytes beside tracked ones and the process's resident memory, and how long a class waits: run it by hand.

    python3 tests/benchmarks/memory.py [--large]

Every row is drawn in a process of its own. Without --large the published shapes are narrow (tests/real.py); with it Stable
Diffusion 1.5 is drawn at its full width, with random weights, where twice its plan is free. XL is only planned.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = [("base", 1), ("base", 4), ("base", 8), ("sd15 narrow", 1), ("sd15 narrow", 4), ("sd2 narrow", 2), ("sdxl narrow", 2)]


def pipeline(name):
    """The shipped base, a narrow pipeline of a published shape, or Stable Diffusion 1.5 at full width."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import real

    from edu_diffusion import models

    if name == "base":
        return models.load("base", "cpu")
    if name == "sd15 full":
        import tiny
        from diffusers import AutoencoderKL, UNet2DConditionModel

        config, pipe = models.PUBLISHED["sd15"], real.sd15()
        pipe.unet, pipe.vae = UNet2DConditionModel.from_config(config["unet"]), AutoencoderKL.from_config(config["vae"])
        words = pipe.tokenizer
        pipe.text_encoder = type(pipe.text_encoder)(real.text_config(words, 768, 12, "quick_gelu"))
        assert tiny.TOKENS
        return real.finished(pipe)
    return getattr(real, name.split()[0])()


def one(name, batch):
    """Print predicted, tracked and resident bytes of one run of two steps, and its seconds."""
    pipe = pipeline(name)
    import psutil
    import torch

    from edu_diffusion import models, steps
    from edu_diffusion.models.planning import tensors

    size = 256 if "narrow" in name else None
    plan = models.plan(pipe, batch=batch, steps=2, size=size)
    edges = [n // pipe.vae_scale_factor for n in plan.settings["size"]]
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    before, begin = psutil.Process().memory_info().rss, time.perf_counter()
    with models.Live([x for part in parts for x in tensors(part)]) as live:
        steps.draw(pipe, ["a cat"] * batch, steps=2, guidance=3.0, z_T=torch.randn(batch, 4, *edges))
    seconds = time.perf_counter() - begin
    import resource

    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    predicted = max(plan.phases.values())
    print(
        f"{name:12} {batch:5} {edges[0] * pipe.vae_scale_factor:5} {sum(plan.weights.values()) / 1e6:9.1f} {predicted / 1e6:10.1f} "
        f"{live.peak / 1e6:9.1f} {predicted / live.peak - 1:+8.1%} {before / 1e6:9.0f} {highest / 1e6:9.0f} {seconds:8.1f}",
        flush=True,
    )


def wait():
    """Print how long the shipped base takes with 1, 4 and 8 pictures at once, and when the last of 30 people has one."""
    pipe = pipeline("base")
    from edu_diffusion import steps

    steps.draw(pipe, "a cat", steps=2)
    print("\n30 people press Draw at once (20 steps, guidance, this machine, one process):")
    print("batch   seconds a batch   pictures a second   the last of 30 has waited")
    for batch in (1, 4, 8):
        begin = time.perf_counter()
        steps.draw(pipe, ["a cat"] * batch, steps=20)
        seconds = time.perf_counter() - begin
        print(f"{batch:5} {seconds:17.2f} {batch / seconds:19.2f} {-(-30 // batch) * seconds:22.0f} s", flush=True)


def main(arguments=None):
    """Run every row in a process of its own, then the waiting times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.row:
        return one(args.row[0], int(args.row[1]))
    print("model        batch  size   weights  predicted   tracked    error  resident   highest  seconds")
    print("                    px        MB         MB        MB           before MB        MB")
    rows = ROWS + ([("sd15 full", 1)] if args.large and room("sd15") else [])
    for name, batch in rows:
        subprocess.run([sys.executable, "-W", "ignore", __file__, "--row", name, str(batch)], check=True)
    wait()


def room(name):
    """Whether twice the plan of a published model is free."""
    sys.path.insert(0, str(ROOT))
    import psutil

    from edu_diffusion import models

    return 2 * models.plan(name).peak < psutil.virtual_memory().available


if __name__ == "__main__":
    main()
