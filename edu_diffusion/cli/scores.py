"""The scores of an evaluation: print them, store them, and rewrite the model card that quotes them."""

from edu_diffusion.data import files

from . import cards
from .shipped import card


def show(scores):
    """Print a table of scores, each with its ceiling where it has one."""
    for name, score in scores.items():
        if name.endswith("_ceiling") and name.removesuffix("_ceiling") in scores:
            continue
        interval = f"[{score['low']:.3f}, {score['high']:.3f}]" if "low" in score else ""
        best = scores.get(f"{name}_ceiling")
        beside = f"  ceiling {best['value']:.3f}" if best else ""
        print(f"{name:28s} {score['value']:7.3f}  {interval:16s}  n={score['n']}{beside}", flush=True)


def write(folder, scores, how=None):
    """Store metrics.json and the evaluation settings, and rewrite the model card."""
    files.write_json(folder / "metrics.json", scores)
    if how:
        files.write_json(folder / "card.json", card(folder) | how)
    cards.write_card(folder)


def merge(folder, scores):
    """Add scores to those that metrics.json already holds, and rewrite the model card."""
    files.write_json(folder / "metrics.json", files.read_json(folder / "metrics.json") | scores)
    cards.write_card(folder)
