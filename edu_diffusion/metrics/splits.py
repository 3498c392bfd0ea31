"""The named scores of many images, for each split of the frozen prompts."""

from collections.abc import Sequence

import torch

from ..data import words
from ..data.world import world
from .accuracy import alone
from .statistics import score

FAR = 0.1  # if the two judges differ by more, the lower score is quoted


def quoted(one, other):
    """The score to quote of two judges: the first one's, or the lower where they differ by more than FAR."""
    return min(one, other, key=lambda s: s["value"]) if abs(one["value"] - other["value"]) > FAR else one


def by_group(hits, keys):
    """The mean of each group of equal keys: (groups,). Seeds of one prompt are not independent samples; groups are."""
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    index = torch.tensor([number[key] for key in keys])
    sums = torch.zeros(len(number), dtype=torch.double).index_add(0, index, hits.double().cpu())
    return sums / index.bincount()


def summary(verdict: dict[str, torch.Tensor], rows: Sequence[dict], suffix: str = "", seeds: int = 1) -> dict[str, dict]:
    """The named scores of a verdict over prompt rows: shares by prompt, and for held-out pairs by pair.

    seeds: the rows repeat the same prompts this many times, one seed after the other. Intervals are over prompts: the
    seeds of one prompt are not independent samples.
    """
    split = {name: torch.tensor([r["split"] == name for r in rows]) for name in {r["split"] for r in rows}}
    of = lambda name, part: verdict[part][split[name]] if name in split and part in verdict else ()
    hits: dict = {f"full_{part}": of("full", part) for part in ("concept", "colour", "style", "size", "place", "all")}
    hits |= {"concept_top1": of("full", "concept"), "concept_top5": of("full", "top5")}
    hits |= {part: of("full", part) for part in ("colour", "style", "size", "place")}
    hits |= {name: of(name, "all") for name in ("open", "unseen_wording", "unknown_word", "aliases")}
    hits |= {"category": of("category", "concept"), "counts": of("counts", "count")}
    hits |= {"pairs": both(of, "pairs", "concept", "other")}
    shown = torch.tensor([in_a_style_that_was_shown(r) for r in rows])
    hits["style_shown"] = verdict["style"][shown] if "style" in verdict else ()
    found = {name: h.float().view(seeds, -1).mean(0) for name, h in hits.items() if len(h)}  # one case a prompt
    found |= {f"heldout_{part}_pairs": pairs(of, rows, part) for part in ("colour", "style")}
    return {name + suffix: score(h) for name, h in found.items() if len(h)}


def in_a_style_that_was_shown(row):
    """Whether a row asks for one known object in a style that was in the training data for it."""
    if not row["style"] or not row["id"] or row["split"] == "unknown_word" or not alone(row):
        return False
    return bool(world().style_allowed[world().by_id[row["id"]].index, words.STYLES.index(row["style"])])


def both(of, name, one, other):
    """Where both parts of a verdict are right in a split."""
    return of(name, one) & of(name, other) if len(of(name, one)) else ()


def pairs(of, rows, part):
    """The share of images with both the concept and the held-out colour or style, by pair: (pairs,)."""
    mine = [(r["id"], r[part]) for r in rows if r["split"] == f"heldout_{part}"]
    return by_group(both(of, f"heldout_{part}", "concept", part), mine) if mine else ()
