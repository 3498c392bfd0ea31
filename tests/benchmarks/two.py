"""Two objects side by side, for a base trained on one at a time: are both generated?

    python3 tests/benchmarks/two.py [pairs]     # default 160

The same pairs, initial noise and timesteps, prompted in four ways:

    as a learner says it      "a cat left of a tree on a white background"
    in the base's words       "a small cat at the left and a small tree at the right on a white background"
    composed                  two prompts, one per object; their differences from the empty prompt are added
                              (Liu et al. 2022, eq. 11): eps = eps_u + g (eps_left - eps_u) + g (eps_right - eps_u)
    each in its half          the same two prompts, each applied in its own half of the latent only (as Bar-Tal et al. 2023
                              blend regions): only this way tells the pipeline where the objects are

Each half is evaluated separately, the other one painted over with the background. The ceiling: two real sprites through the VAE.
"""

import sys

import torch

from edu_diffusion import metrics, models
from edu_diffusion.data import scenes, words
from edu_diffusion.data.world import world
from edu_diffusion.steps import ddim_step, sample, spaced_levels, to_eps
from edu_diffusion.train.parts import encode_text

GROUND = "white"
SIDES = ("left", "right")
BATCH = 40
LEFT = (torch.arange(16) < 8).float()  # 1 in the left half of a latent's columns


def pairs(n, seed=0):
    """Prompt rows of n pairs of different things, one list for each side."""
    concepts, rng = world().tier("core"), torch.Generator().manual_seed(seed)
    chosen = [concepts[torch.randperm(len(concepts), generator=rng)[:2]] for _ in range(n)]
    return [[row(world().concepts[int(pair[k])], side) for pair in chosen] for k, side in enumerate(SIDES)]


def row(concept, side):
    return {
        "id": concept.id,
        "name": concept.name,
        "colour": GROUND,
        "style": "",
        "size": "small",
        "place": side,
        "prompt": words.caption(concept.name, GROUND, "small", side),
    }


def asked(left, right):
    """{way: (lists of captions, mask of each list)}: as many captions per image as predictions are added."""
    thing = words.noun_phrase
    said = [f"{thing(a['name'])} left of {thing(b['name'])} on a {GROUND} background" for a, b in zip(left, right)]
    own = [
        f"{thing(a['name'], 'small')} at the left and {thing(b['name'], 'small')} at the right on a {GROUND} background"
        for a, b in zip(left, right)
    ]
    two = [[r["prompt"] for r in rows] for rows in (left, right)]
    return {
        "as a learner says it": ([said], [1]),
        "in the base's words": ([own], [1]),
        "composed": (two, [1, 1]),
        "each in its half": (two, [LEFT, 1 - LEFT]),
    }


@torch.no_grad()
def drawn(pipe, captions, where, seed, g=metrics.GUIDANCE):
    """Images of the captions, guided by every list of them at once, each where its mask is 1."""
    texts = [encode_text(pipe.tokenizer, pipe.text_encoder, list(some)) for some in ([""] * len(captions[0]), *captions)]
    levels = spaced_levels(pipe.scheduler.alphas_cumprod, metrics.STEPS)
    share = dict(levels)

    def model(x, t):
        empty, *said = (to_eps(pipe.unet(x, t, c).sample, x, share[t], "v_prediction") for c in texts)
        return empty + g * sum(mask * (eps - empty) for eps, mask in zip(said, where))

    x_T = torch.randn(len(captions[0]), 4, 16, 16, generator=torch.Generator().manual_seed(seed))
    *_, last = sample(model, x_T, levels, step=ddim_step)
    return pipe.vae.decode(last.x_s / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)


def halves(images):
    """Each half of the images alone, the other one painted over: two (B, 3, 64, 64)."""
    ground, middle = scenes.PALETTE[scenes.COLOURS.index(GROUND)][:, None, None], scenes.PICTURE // 2
    left, right = images.clone(), images.clone()
    left[..., middle:], right[..., :middle] = ground, ground
    return left, right


def line(network, label, images, both_rows):
    """How often each half is right, and both, by the judge; and both by the nearest reference."""
    named, near = [], []
    for half, rows in zip(halves(images), both_rows):
        named.append(metrics.right(network, half, rows)["concept"])
        near.append(metrics.nearest_as_asked(half, rows)[0] == scenes.spec_of(rows).concept)
    shares = {"left": named[0], "right": named[1], "both": named[0] & named[1], "both, nearest reference": near[0] & near[1]}
    said = "   ".join(
        f"{name} {100 * s['value']:.1f} % [{100 * s['low']:.1f}, {100 * s['high']:.1f}]"
        for name, s in ((name, metrics.score(hit)) for name, hit in shares.items())
    )
    print(f"{label:22}{said}", flush=True)


def main(n=160):
    pipe = models.load("base", "cpu")
    network = metrics.load_judge("cpu")
    both = pairs(n)
    real = [scenes.render(scenes.spec_of(rows))[0] for rows in both]
    joined = torch.cat([real[0][..., :32], real[1][..., 32:]], dim=-1)
    line(network, "real, through the VAE", metrics.through_vae(pipe, joined), both)
    for way, (captions, where) in asked(*both).items():
        parts = [drawn(pipe, [some[i : i + BATCH] for some in captions], where, i) for i in range(0, n, BATCH)]
        line(network, way, torch.cat(parts), both)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
