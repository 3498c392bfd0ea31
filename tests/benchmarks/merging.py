"""What does a merged checkpoint keep of its two parents?

    python3 tests/benchmarks/merging.py [--limit 80] [--seeds 0] [--weights 0.25 0.5 0.75 1.5] [--tuned FOLDER]

The parents are the base and the base with the shipped LoRA fused into its U-Net; merged with steps.weighted_sum, whose weight 0
is the base and 1 the LoRA's style. Beyond 1 the sum extrapolates. Prints for every weight

    accuracy    of ordinary frozen prompts: everything that was asked is right, by the judge,
    style       of frozen prompts in the LoRA's style: the nearest of all sprites is in that style,
    concept     of the same prompts: the nearest sprite is that concept,

each with its 95 % interval, and as paired differences, in percentage points, from the parent that is good at it: accuracy from
the base, style from the base with the LoRA. With --tuned, a pipeline that was fine-tuned from the base, it is judged, too,
and the LoRA's difference is added to that one, by steps.add_difference. The same prompts and seeds everywhere.
"""

import argparse

import torch

from edu_diffusion import metrics, models, steps
from edu_diffusion.data import newstyle, words
from edu_diffusion.data.world import prompts
from edu_diffusion.metrics import style

WEIGHTS = (0.25, 0.5, 0.75, 1.5)
LORA = "lora"


def fused(name="base", lora=LORA):
    """A pipeline with a LoRA fused into its U-Net."""
    pipe = models.load_lora(models.load(name, "cpu"), lora)
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    return pipe


def judged(pipe, judge, limit, seeds):
    """Booleans (prompts x seeds,) of one model: {"accuracy", "style", "concept"}."""
    plain, asked = prompts("core", "full")[:limit], newstyle.rows(limit=limit)
    ordinary, new = (torch.cat([metrics.draw(pipe, rows, seed) for seed in seeds]) for rows in (plain, asked))
    seen = style.named(new, asked * len(seeds), words.NEW_STYLE)
    right = metrics.right(judge, ordinary, plain * len(seeds))["all"]
    return {"accuracy": right, "style": seen["style"], "concept": seen["concept"]}


def line(label, hits, parents):
    """Print one model: each score with its interval, and the paired differences from the parents."""
    scores = " ".join(f"{name} {shown(metrics.score(hit)):23}" for name, hit in hits.items())
    changes = {"accuracy": parents[0]["accuracy"], "style": parents[1]["style"]}
    paired = " ".join(f"{name} {shown(metrics.paired(old, hits[name]), '+'):22}" for name, old in changes.items())
    print(f"{label:>18}  {scores}| from the parents: {paired}", flush=True)


def shown(score, sign=""):
    """A score in per cent with its interval, or with a sign a difference in percentage points."""
    value, low, high = (f"{100 * score[name]:{sign}.1f}" for name in ("value", "low", "high"))
    return f"{value}{'' if sign else ' %'} [{low}, {high}]"


def main(arguments=None):
    parser = argparse.ArgumentParser(description="accuracy and style of merged checkpoints")
    parser.add_argument("--limit", type=int, default=80, help="number of prompts of each kind (default 80)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="sampling seeds (default 0)")
    parser.add_argument("--weights", type=float, nargs="+", default=WEIGHTS, help="of the merge")
    parser.add_argument("--tuned", help="a pipeline fine-tuned from the base, to add the LoRA's difference to")
    args = parser.parse_args(arguments)
    base, lora, judge = models.load("base", "cpu"), fused(), metrics.load_judge("cpu")
    parents = [judged(pipe, judge, args.limit, args.seeds) for pipe in (base, lora)]
    print(f"n = {len(parents[0]['accuracy'])} and {len(parents[0]['style'])}; base, and base with {LORA!r} fused")
    line("base", parents[0], parents)
    line("with the LoRA", parents[1], parents)
    for weight in args.weights:
        merged = models.merged(steps.weighted_sum, base, lora, weight=weight)
        line(f"sum, {weight}", judged(merged, judge, args.limit, args.seeds), parents)
    if args.tuned:
        tuned = models.load(args.tuned, "cpu")
        line("fine-tuned", judged(tuned, judge, args.limit, args.seeds), parents)
        for weight in args.weights:
            merged = models.merged(steps.add_difference, tuned, lora, base, weight=weight)
            line(f"difference, {weight}", judged(merged, judge, args.limit, args.seeds), parents)


if __name__ == "__main__":
    main()
