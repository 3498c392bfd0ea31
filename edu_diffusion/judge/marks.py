"""What is right in each picture, as shares with their intervals.

The classifier names concept, style, size and place; the background's colour is read off the picture's frame.
"""

import math

import torch

from ..data import scenes
from .drawings import ground


def background(images):
    """Index of the palette colour nearest to the frame's median: (B, 3, 64, 64) -> (B,)."""
    distance = (ground(images)[:, None, :, 0, 0] - scenes.PALETTE.to(images)).square().sum(2)
    return distance.argmin(dim=1)


@torch.no_grad()
def right(judge, images, rows):
    """What is right in each picture, by prompt rows: dict of (B,) booleans.

    What a prompt leaves unsaid counts as right; "all" is everything that was asked.
    """
    spec, answers = scenes.spec_of(rows), answer(judge, images)
    best = answers["concept"].topk(5, dim=1).indices.cpu()
    said = {part: torch.tensor([bool(r[part]) for r in rows]) for part in ("colour", "style")}
    verdict = {
        "concept": best[:, 0] == spec.concept, "top5": (best == spec.concept[:, None]).any(1),
        "colour": (background(images).cpu() == spec.colour) | ~said["colour"],
        "style": (answers["style"].argmax(1).cpu() == spec.style) | ~said["style"],
        "size": answers["size"].argmax(1).cpu() == spec.size,
        "place": answers["place"].argmax(1).cpu() == spec.place}
    return combined(verdict)


def combined(verdict):
    """With "pair", concept, colour and style all right, and "all", everything that was asked."""
    pair = verdict["concept"] & verdict["colour"] & verdict["style"]
    return verdict | {"pair": pair, "all": pair & verdict["size"] & verdict["place"]}


def answer(judge, images, batch=200):
    """The judge's logits for many pictures, a batch at a time."""
    parts = [judge(x) for x in images.split(batch)]
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}


def score(hits):
    """{value, n, low, high}: a share with its 95 % Wilson interval."""
    n, p, z = len(hits), hits.float().mean().item(), 1.96
    middle, reach = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = ((middle + sign * reach) / (1 + z * z / n) for sign in (-1, 1))
    return {"value": round(p, 4), "n": n, "low": round(max(0.0, low), 4), "high": round(high, 4)}


def paired(before, after, unit=None):
    """{value, n, low, high}: the mean of after - before with its 95 % interval, and its unit if it is not a share.

    before, after: (n,) booleans or numbers of the same prompts and seeds, so that only what changed counts. The
    interval is the normal one; for booleans with half a case added to each cell of the table (Agresti and Min
    2005), or no change at all would look certain.
    """
    gain = after.double().cpu() - before.double().cpu()
    half = gain.new_tensor([0.5**0.5, -(0.5**0.5)])  # what half a case each way adds to the sums
    seen = torch.cat([gain, half]) if before.dtype == torch.bool else gain
    middle, reach = seen.mean().item(), 1.96 * seen.std().item() / math.sqrt(len(seen))
    most = 1.0 if before.dtype == torch.bool else math.inf  # a share cannot change by more
    score = {"value": gain.mean().item(), "n": len(gain), "low": max(-most, middle - reach), "high": min(most, middle + reach)}
    return {k: round(v, 4) for k, v in score.items()} | ({"unit": unit} if unit else {})


def mean(values, unit=None):
    """The same of the mean of numbers, (n,)."""
    return paired(torch.zeros_like(values), values, unit)


def quantile(values, q, unit):
    """The same of a quantile of numbers, (n,): its interval lies between those values that are as far off in rank."""
    n, reach = len(values), 1.96 * math.sqrt(len(values) * q * (1 - q))
    ranks = ((n * q + sign * reach) / n for sign in (-1, 1))
    low, high = (values.quantile(min(max(rank, 0.0), 1.0)).item() for rank in ranks)
    return {"value": round(values.quantile(q).item(), 4), "n": n, "low": round(low, 4), "high": round(high, 4), "unit": unit}


def summary(verdict, rows, suffix=""):
    """The named scores of a verdict over prompt rows."""
    split = {name: torch.tensor([r["split"] == name for r in rows]) for name in ("heldout_colour", "heldout_style", "own_words")}
    held = split["heldout_colour"] | split["heldout_style"]
    named = torch.tensor([bool(r["style"]) for r in rows])
    hits = {
        "concept_top1": verdict["concept"], "concept_top5": verdict.get("top5", ()), "colour": verdict["colour"],
        "style": verdict["style"][named], "style_shown": verdict["style"][named & ~split["heldout_style"]],
        "size": verdict["size"], "place": verdict["place"],
        "heldout_pairs": verdict["pair"][held], "heldout_colour_pairs": verdict["pair"][split["heldout_colour"]],
        "heldout_style_pairs": verdict["pair"][split["heldout_style"]], "own_words": verdict["pair"][split["own_words"]]}
    return {name + suffix: score(h) for name, h in hits.items() if len(h)}
