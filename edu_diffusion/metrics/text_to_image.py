"""All scores of a pipeline on the frozen prompts, each with its ceiling: real scenes through the VAE."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..data import jpeg, scenes
from ..data.world import prompts, world
from .accuracy import alone, combined, read, read_nearest, right, right_by_nearest
from .frechet import excess, features, frechet_distance
from .judge import Judge
from .sampling import draw, through_vae
from .splits import quoted, summary
from .statistics import mean, quantile, score

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

TAUGHT = "core"  # the tier that the judge was trained on
SETS = 2000  # images in each set of a Fréchet distance
LOOSE = ("open", "category", "unseen_wording", "unknown_word")  # splits whose prompts leave attributes unspecified
BESIDE = ("heldout_style_pairs",)  # the judge was trained on these sprites; the nearest reference is reported too, but not quoted


def evaluate(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    tier: str = "core",
    seeds: Sequence[int] = (0, 1000, 2000),
    limit: int | None = None,
    batch: int | None = None,
) -> dict[str, dict]:
    """All scores but distances(): images generated for the prompts of a tier, and the reference scores of fixed().

    limit: only the first prompts of each split.
    """
    rows = chosen(tier, limit)
    pictures = torch.cat([draw(pipe, rows, seed, batch=batch).cpu() for seed in seeds])
    return tiered(accuracy_scores(judge, pictures, rows * len(seeds), tier, len(seeds)), tier) | fixed(pipe, judge, tier, limit)


def chosen(tier: str, limit: int | None = None) -> list[dict]:
    """The prompts of a tier, the first `limit` of each split."""
    rows = prompts(tier)
    return [r for split in dict.fromkeys(r["split"] for r in rows) for r in [r for r in rows if r["split"] == split][:limit]]


def accuracy_scores(
    judge: Judge, images: torch.Tensor, rows: Sequence[dict], tier: str = "core", seeds: int = 1
) -> dict[str, dict]:
    """The shares of what is right: by the judge; by the nearest reference, "_nearest"; the one to quote, "_quoted".

    seeds: see summary.
    """
    network, nearest = read(judge, images), references(images, rows)
    one = summary(judged(judge, images, rows, tier, network, nearest), rows, seeds=seeds)
    if tier != TAUGHT:
        return one
    other = summary(right_by_nearest(images, rows, nearest), rows, seeds=seeds)
    other = {name: value for name, value in other.items() if not name.endswith("colour") and name != "counts"}
    return (
        one
        | {f"{name}_nearest": value for name, value in other.items()}
        | {f"{name}_quoted": quoted(one[name], value) for name, value in other.items() if name not in BESIDE}
        | second_opinion(network, nearest, rows)
    )


def references(images, rows):
    """What the nearest reference predicts, among the sprites of each row's own tier."""
    found = {}
    for tier in {r["tier"] for r in rows}:
        mine = torch.tensor([r["tier"] == tier for r in rows])
        for part, value in read_nearest(images[mine], tier=tier).items():
            found.setdefault(part, value.new_zeros(len(rows), *value.shape[1:]))[mine] = value
    return found


def judged(judge, images, rows, tier, network=None, nearest=None):
    """What is right in each image, as in marks.right. The judge cannot name what it was not trained on: there the nearest
    of all references gives concept and style, and there is no top 5. network, nearest: their predictions, if already known.
    """
    seen = right(judge, images, rows, network)
    if tier == TAUGHT:
        return seen
    other = right_by_nearest(images, rows, nearest, tier)
    del seen["top5"]
    return combined(seen | {"concept": other["concept"], "style": other["style"]})


def tiered(scores, tier):
    """Name the scores of the concept after the tier: the number of classes determines the difficulty."""
    return {f"{tier}_{k}" if k.startswith("concept") else k: v for k, v in scores.items()}


def fixed(pipe: "StableDiffusionPipeline", judge: Judge, tier: str = "core", limit: int | None = None) -> dict[str, dict]:
    """What does not depend on sampling: the ceilings, the judges' accuracy on real scenes, and the VAE's own score."""
    rows = chosen(tier, limit)
    real = scenes.render(truth(rows), torch.Generator().manual_seed(7))[0]
    scores = tiered(summary(judged(judge, through_vae(pipe, real), rows, tier), rows, "_ceiling"), tier)
    single = [i for i, r in enumerate(rows) if r["split"] == "full"]
    real, rows = real[single], [rows[i] for i in single]
    seen, parts = right(judge, real, rows), ("concept", "style") if tier == TAUGHT else ()
    scores |= {f"judge_{k}": score(seen[k]) for k in (*parts, "size", "place")}
    return scores | {"nearest_real": score(right_by_nearest(real, rows, tier=tier)["concept"])} | psnr(pipe)


def truth(rows, seed=7):
    """A Spec that fits each row: what the prompt says in its words' usual meaning, the rest sampled from the world."""
    spec, rng = scenes.spec_of(rows), torch.Generator().manual_seed(seed)
    for i, row in enumerate(rows):
        if row["split"] in LOOSE and alone(row) and possible(row):
            fill(spec, i, row, world().sample(1, rng, **said(row)))
    return spec


def possible(row):
    """Whether the world contains scenes for a prompt's words: it has none of held-out pairs, nor of concepts outside the core."""
    if not row["id"]:
        return True
    concept, given = world().by_id[row["id"]], scenes.spec_of([row])
    return (
        concept.tier == TAUGHT
        and (not row["colour"] or bool(world().colour_allowed[concept.index, given.colour[0]]))
        and (not row["style"] or bool(world().style_allowed[concept.index, given.style[0]]))
    )


def fill(spec, i, row, drawn):
    """Fill what a row leaves unspecified at index i of a Spec, from a scene sampled for its words; big objects are centred."""
    for part, value in zip(spec._fields, drawn):
        if not row["id" if part == "concept" else part]:
            getattr(spec, part)[i] = value[0]
    if scenes.SIZES[spec.size[i]] == "big" and not row["place"]:
        spec.place[i] = 0


def said(row):
    """The words of a prompt row, as world().conditional and world().sample take them."""
    name = world().by_id[row["id"]].name if row["id"] else ""
    return {"name": name, "category": row.get("category", "") if not name else ""} | {
        part: row[part] for part in ("colour", "style", "size", "place")
    }


def second_opinion(network, nearest, rows):
    """How often both judges name the same concept, and memorisation: how often the nearest reference is the very sprite asked for,
    where it was trained on; memory_unseen: where it was held out, so that it cannot be memorised. network, nearest: predictions.
    """
    asked = [i for i, r in enumerate(rows) if r["id"] and r["style"] and alone(r) and r["tier"] == TAUGHT]
    spec, same = scenes.spec_of([rows[i] for i in asked]), network["concept"][:, 0] == nearest["concept"][:, 0]
    concept, style = nearest["concept"][asked, 0], nearest["style"][asked]
    itself, known = (concept == spec.concept) & (style == spec.style), world().style_allowed[spec.concept, spec.style]
    hits = {
        "nearest_concept": concept == spec.concept,
        "judges_agree": same[[alone(r) and r["tier"] == TAUGHT for r in rows]],
        "memory": itself[known],
        "memory_unseen": itself[~known],
    }
    return {name: score(h) for name, h in hits.items() if len(h)}


def distances(
    pipe: "StableDiffusionPipeline", judge: Judge, tier: str = "core", n: int = SETS, batch: int | None = None
) -> dict[str, dict]:
    """Fréchet distances to n real images: of n generated ones, of as many real ones (floor) and of those through the VAE.

    The generated images use the captions of those other real ones. frechet_excess: distance minus floor, with a bootstrap interval.
    """
    one, other = (scenes.batch(n, seed, tier) for seed in (31, 32))
    drawn = draw(pipe, [{"prompt": caption} for caption in other.captions], seed=5000, batch=batch)
    sets = {"frechet": drawn, "frechet_floor": other.images, "frechet_vae": through_vae(pipe, other.images)}
    real, sets = features(judge, one.images), {name: features(judge, images) for name, images in sets.items()}
    return {name: {"value": round(frechet_distance(real, x), 3), "n": n} for name, x in sets.items()} | {
        "frechet_excess": excess(real, sets["frechet"], sets["frechet_floor"])
    }


@torch.no_grad()
def psnr(pipe: "StableDiffusionPipeline", n: int = 200) -> dict[str, dict]:
    """PSNR (dB) inside the sprite's mask on scenes of the 50 concepts held out of all training: mean and tenth percentile."""
    scene = scenes.batch(n, 123, "heldout")
    again = through_vae(pipe, scene.images)
    db = torch.tensor([jpeg.psnr(x, y, mask[0]) for x, y, mask in zip(scene.images, again, scene.masks)])
    return {"vae_psnr_unseen": mean(db, "dB"), "vae_psnr_unseen_p10": quantile(db, 0.1, "dB")}
