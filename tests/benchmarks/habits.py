"""Before any training: what does guidance do to habits and to fuzzy words when the score is exact?

    python3 tests/benchmarks/habits.py             # about two minutes on two cores

A sub-world of 20 core concepts, half of them with a habit: every scene at 8 x 8 pixels, weighted as chances.py says. A prompt's
words change only the weights; so the exact denoiser (steps.mixture_x0) with and without words gives exact guidance.
Printed for g = 1, 2, 4, 8: how often a habit's value is sampled when only its concept is named, and the same value for
concepts without that habit (the controls: ideal guidance multiplies by (p(x|c)/p(x))^(g-1), and their colours do not depend
on c); and how often "big" gives a big object.
"""

import itertools

import torch
import torch.nn.functional as F

from edu_diffusion.data import chances, scenes
from edu_diffusion.data.world import world
from edu_diffusion.steps import abar, ddim_timesteps, mixture_x0, q_sample, scaled_linear_betas, to_eps

LEVELS = abar(scaled_linear_betas())
STEPS = 15
SEEDS = 24
SPREAD = 0.02  # of every scene, so that timesteps near zero stay well-behaved


def subworld():
    """20 core concepts by their index among the core, the first ten with a colour habit."""
    ids = [world().concepts[i].id for i in world().tier("core").tolist()]
    leaning = [ids.index(h["id"]) for h in world().habits if h["attribute"] == "colour"][:10]
    free = [i for i in range(0, len(ids), 7) if ids[i] not in {h["id"] for h in world().habits}][:10]
    return leaning + free


def every_scene(core):
    """All scenes of one style of these concepts, at 8 x 8: (K, 3, 8, 8), and their cells (K, 5) in chances.joint()."""
    places = [(size, place) for size in range(3) for place in range(9) if size < chances.BIG or place == 0]
    cells = torch.tensor([(c, colour, 1, *sp) for c, colour, sp in itertools.product(core, range(10), places)])
    concept, colour, style, size, place = cells.T
    one, none = torch.ones_like(concept), torch.full_like(concept, -1)
    spec = scenes.Spec(world().tier("core")[concept], colour, style, size, place, one, none)
    return F.avg_pool2d(scenes.render(spec)[0], 8), cells


def weights(cells, **said):
    """The scenes' weights given words: (K,), summing to 1."""
    w = chances.posterior(world(), **said)[tuple(cells.T)].float()
    return w / w.sum()


def draw(pictures, with_words, without, g, n, seed=0):
    """n samples by DDIM with the exact guided prediction; the index of the nearest scene of each: (n,)."""
    rng, stds = torch.Generator().manual_seed(seed), torch.full((len(pictures),), SPREAD)
    x = torch.randn(n, *pictures.shape[1:], generator=rng)
    for t, s in ddim_timesteps(STEPS, len(LEVELS), "trailing"):
        x_c = mixture_x0(x, LEVELS[t], pictures, stds, with_words)
        x_u = mixture_x0(x, LEVELS[t], pictures, stds, without)
        x_0 = x_u + g * (x_c - x_u)
        eps = to_eps(x_0, x, LEVELS[t], "sample")
        x = x_0 if s < 0 else q_sample(x_0, eps, LEVELS[s])
    return torch.cdist(x.flatten(1), pictures.flatten(1)).argmin(1)


def main():
    torch.manual_seed(0)
    core = subworld()
    pictures, cells = every_scene(core)
    names = [world().concepts[world().tier("core")[i]].name for i in core]
    habit = {h["id"]: scenes.COLOURS.index(h["value"]) for h in world().habits if h["attribute"] == "colour"}
    values = [habit.get(world().concepts[world().tier("core")[i]].id) for i in core]
    anything = weights(cells)
    print(f"{len(pictures)} scenes; share of the habit's colour, its controls', and of big things for the word \"big\"")
    for g in (1, 2, 4, 8):
        with_habit = []
        control = []
        big = []
        for k in range(0, 10, 2):
            found = cells[draw(pictures, weights(cells, name=names[k]), anything, g, SEEDS, k)]
            with_habit.append((found[:, 1] == values[k]).float().mean())
            found = cells[draw(pictures, weights(cells, name=names[10 + k]), anything, g, SEEDS, k)]
            control.append((found[:, 1] == values[k]).float().mean())
        found = cells[draw(pictures, weights(cells, size="big"), anything, g, SEEDS)]
        big = (found[:, 3] == chances.BIG).float().mean()
        print(
            f"g = {g}: habits {torch.stack(with_habit).mean():.2f}, controls {torch.stack(control).mean():.2f}, big {big:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
