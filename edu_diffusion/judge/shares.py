"""The named scores of many pictures, split by split of the frozen prompts."""

import torch

from ..data import words
from ..data.world import world
from .marks import alone, score

FAR = 0.1  # where the two judges differ by more, the lower is quoted


def quoted(one, other):
    """The score to quote of two judges': the first's, but the lower where they differ by more than FAR."""
    return min(one, other, key=lambda s: s["value"]) if abs(one["value"] - other["value"]) > FAR else one


def by_group(hits, keys):
    """The mean of each group of equal keys: (groups,). Seeds of one prompt are no independent cases; their groups are."""
    number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
    index = torch.tensor([number[key] for key in keys])
    sums = torch.zeros(len(number), dtype=torch.double).index_add(0, index, hits.double().cpu())
    return sums / index.bincount()


def summary(verdict, rows, suffix=""):
    """The named scores of a verdict over prompt rows: shares of pictures, and for held-out pairs shares pair by pair."""
    split = {name: torch.tensor([r["split"] == name for r in rows]) for name in {r["split"] for r in rows}}
    of = lambda name, part: verdict[part][split[name]] if name in split and part in verdict else ()
    hits = {f"full_{part}": of("full", part) for part in ("concept", "colour", "style", "size", "place", "all")}
    hits |= {"concept_top1": of("full", "concept"), "concept_top5": of("full", "top5")}
    hits |= {part: of("full", part) for part in ("colour", "style", "size", "place")}
    hits |= {name: of(name, "all") for name in ("open", "unseen_wording", "unknown_word", "aliases")}
    hits |= {"category": of("category", "concept"), "counts": of("counts", "count")}
    hits |= {"pairs": both(of, "pairs", "concept", "other")}
    hits |= {f"heldout_{part}_pairs": pairs(of, rows, part) for part in ("colour", "style")}
    shown = torch.tensor([in_a_style_that_was_shown(r) for r in rows])
    hits["style_shown"] = verdict["style"][shown] if "style" in verdict else ()
    return {name + suffix: score(h) for name, h in hits.items() if len(h)}


def in_a_style_that_was_shown(row):
    """Whether a row asks for one known thing in a style in which that thing was in the training."""
    if not row["style"] or not row["id"] or row["split"] == "unknown_word" or not alone(row):
        return False
    return bool(world().style_allowed[world().by_id[row["id"]].index, words.STYLES.index(row["style"])])


def both(of, name, one, other):
    """Where both parts of a verdict are right in a split."""
    return of(name, one) & of(name, other) if len(of(name, one)) else ()


def pairs(of, rows, part):
    """The share of pictures with both the concept and the held-out colour or style, pair by pair: (pairs,)."""
    mine = [(r["id"], r[part]) for r in rows if r["split"] == f"heldout_{part}"]
    return by_group(both(of, f"heldout_{part}", "concept", part), mine) if mine else ()
