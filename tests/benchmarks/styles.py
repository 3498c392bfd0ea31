"""Can a judge recognise the style of an unknown sprite, or does it memorise?

    python3 tests/benchmarks/styles.py [minutes]     # of training a second judge, default 15

The shipped judge was trained on all sprites. Another one is trained here for as long, without those held out of the base's
training. Prints how often either recognises the style and the concept of real scenes: of the frozen prompts whose sprites both
were trained on, and of the held-out ones. Then what the base generates for the held-out ones: how often the shipped judge
finds concept and style right, and how often the nearest reference is in the style asked for, or in another one of the
same concept.
"""

import sys

import torch

from edu_diffusion import metrics, models, train
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts


def line(label, **hits):
    for name, hit in hits.items():
        s = metrics.score(hit)
        print(f"{label:45}{name:21}{100 * s['value']:6.1f} % [{100 * s['low']:.1f}, {100 * s['high']:.1f}]  n={s['n']}", flush=True)


def named(label, network):
    """A judge's predictions on real scenes."""
    for split in ("full", "heldout_style"):
        rows = [row for row in prompts("core", split) if row["style"]]
        real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
        right = metrics.right(network, real, rows)
        line(f"{label}, {split}", style=right["style"], concept=right["concept"], both=right["pair"])


def drawn(network, seeds=(0, 1000, 2000)):
    """Images that the base generates for held-out pairs of concept and style."""
    pipe, rows = models.load("base", "cpu"), prompts("core", "heldout_style")
    pictures, rows = torch.cat([metrics.draw(pipe, rows, seed) for seed in seeds]), rows * len(seeds)
    right, spec = metrics.right(network, pictures, rows), scenes.spec_of(rows)
    concept, style, _ = metrics.nearest_as_asked(pictures, rows)
    near = concept == spec.concept
    line(
        "drawn, heldout_style",
        concept=right["concept"],
        style=right["style"],
        both=right["pair"],
        nearest_asked=near & (style == spec.style),
        nearest_other_style=near & (style != spec.style),
    )


def main(minutes=15.0):
    shipped = metrics.load_judge("cpu")
    for progress in train.RECIPES["judge"](minutes=minutes, device="cpu", held_out=()):
        pass
    print(f"{minutes} minutes, {progress.step} steps")
    named("shown all drawings", shipped)
    named("never shown the held-out ones", progress.model.eval())
    drawn(shipped)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
