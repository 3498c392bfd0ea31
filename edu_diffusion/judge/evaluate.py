"""All scores of a pipeline on the frozen prompts, each beside its ceiling: real scenes through the VAE."""

import torch

from .. import steps
from ..data import jpeg, scenes
from ..data.world import prompts, world
from .distance import features, frechet
from .drawings import nearest
from .marks import answer, combined, mean, quantile, right, score, summary

STEPS, GUIDANCE = 20, 4.0  # fixed before any model was judged
TAUGHT = "core"  # the tier whose drawings the network was shown
SETS = 2000  # pictures in each set of a Fréchet distance


def draw(pipe, rows, seed=0, guidance=GUIDANCE, n_steps=STEPS, batch=40):
    """Pictures of the prompts, (B, 3, 64, 64), by the readable loop; picture i uses seed + i."""
    pictures = []
    for i in range(0, len(rows), batch):
        texts = [r["prompt"] for r in rows[i:i + batch]]
        for state in steps.generate(pipe, texts, seed=seed + i, steps=n_steps, guidance=guidance):
            pass
        pictures.append(steps.decode(pipe, state.z_s))
    return torch.cat(pictures).float().clamp(-1, 1)


@torch.no_grad()
def through_vae(pipe, images):
    """Encode and decode real pictures: the best any latent model can do."""
    return torch.cat([pipe.vae.decode(pipe.vae.encode(x.to(pipe.device)).latent_dist.mean).sample
                      for x in images.split(64)]).clamp(-1, 1)


def evaluate(pipe, judge, tier="core", seeds=(0, 1000, 2000), limit=None):
    """All scores but distances(): the prompts of a tier as drawn, and everything that fixed() compares with."""
    rows = prompts(tier)[:limit]
    pictures = torch.cat([draw(pipe, rows, seed) for seed in seeds])
    many = rows * len(seeds)
    scores = summary(judged(judge, pictures, many, tier), many)
    scores |= second_opinion(judge, pictures, many) if tier == TAUGHT else {}
    return tiered(scores, tier) | fixed(pipe, judge, tier, limit)


def judged(judge, images, rows, tier):
    """What is right in each picture, as in marks.right. What the network was not shown it cannot name: there the nearest
    of all drawings says concept and style, and there is no fifth guess.
    """
    seen = right(judge, images, rows)
    if tier == TAUGHT:
        return seen
    (concept, style, _), spec = nearest(images, rows, tier), scenes.spec_of(rows)
    unsaid = torch.tensor([not r["style"] for r in rows])
    del seen["top5"]
    return combined(seen | {"concept": concept == spec.concept, "style": (style == spec.style) | unsaid})


def tiered(scores, tier):
    """Scores of the concept are named after the tier: how many there are to choose from decides how hard it is."""
    return {f"{tier}_{k}" if k.startswith("concept") else k: v for k, v in scores.items()}


def fixed(pipe, judge, tier="core", limit=None):
    """What depends on no sampling: the ceilings, how well the judges name real scenes, and the VAE's own score."""
    rows = prompts(tier)[:limit]
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    scores = tiered(summary(judged(judge, through_vae(pipe, real), rows, tier), rows, "_ceiling"), tier)
    seen, parts = right(judge, real.to(pipe.device), rows), ("concept", "style") if tier == TAUGHT else ()
    scores |= {f"judge_{k}": score(seen[k]) for k in (*parts, "size", "place")}
    concept = nearest(real, rows, tier)[0]
    return scores | {"nearest_real": score(concept == scenes.spec_of(rows).concept)} | psnr(pipe)


def second_opinion(judge, pictures, rows):
    """What the nearest drawing says of the same pictures, and how often both judges name one concept.

    memory: how often the nearest is the very drawing asked for, where that was trained on; memory_unseen: where it was
    held out, so that nobody can know it by heart.
    """
    spec, (concept, style, _) = scenes.spec_of(rows), nearest(pictures, rows, TAUGHT)
    with torch.no_grad():
        named = answer(judge, pictures)["concept"].argmax(1).cpu()
    same, known = concept == spec.concept, world().style_allowed[spec.concept, spec.style]
    itself = same & (style == spec.style)
    return {"nearest_concept": score(same), "judges_agree": score(concept == named)} | {
        name: score(hits) for name, hits in (("memory", itself[known]), ("memory_unseen", itself[~known])) if len(hits)}


def distances(pipe, judge, tier="core", n=SETS):
    """Fréchet distance of n drawn pictures to n real ones, beside its floor (n other real ones) and its ceiling."""
    one, other = (scenes.batch(n, seed, tier) for seed in (31, 32))
    drawn = draw(pipe, [{"prompt": caption} for caption in other.captions], seed=5000)
    sets = {"frechet": drawn, "frechet_floor": other.images, "frechet_vae": through_vae(pipe, other.images)}
    real = features(judge, one.images)
    return {name: {"value": round(frechet(real, features(judge, images)), 3), "n": n} for name, images in sets.items()}


@torch.no_grad()
def psnr(pipe, n=200):
    """Decibels inside the sprite's mask on scenes of the 50 concepts that no training saw: mean and tenth percentile."""
    scene = scenes.batch(n, 123, "heldout")
    again = through_vae(pipe, scene.images)
    db = torch.tensor([jpeg.psnr(x, y, mask[0]) for x, y, mask in zip(scene.images, again, scene.masks)])
    return {"vae_psnr_unseen": mean(db, "dB"), "vae_psnr_unseen_p10": quantile(db, 0.1, "dB")}
