"""The verb `judge`: measure a model, print the table, and with --write store it and everything that quotes it.

    judge            does the pipeline draw what is asked?          checkpoints/base
    judge clip       do captions and pictures find each other?      checkpoints/clip
    judge edit       how strength, masks and inversion change a picture
    judge lora       what an adapter gained and what it cost; likewise hyper, aligned, control, dreambooth, inversion
"""

import argparse

from .data import files

ADAPTERS = ("edit", "lora", "hyper", "aligned", "control", "dreambooth", "inversion")


def main(arguments=()):
    """Judge what the arguments name; returns the exit code 0."""
    args = parser().parse_args(arguments)
    {"drawing": judge_drawing, "clip": judge_clip}.get(args.what, judge_adapter)(args)
    return 0


def parser():
    commands = argparse.ArgumentParser(prog="edu_diffusion judge", description="Measure how good a model is.")
    add = commands.add_argument
    add("what", nargs="?", default="drawing", choices=["drawing", "clip", *ADAPTERS], help="which ability (default: drawing)")
    add("--model", help="a shipped checkpoint's name or a folder (default: base, or clip); for an adapter its base")
    add("--adapter", help="a shipped adapter's name or a folder (default: the shipped one of the kind)")
    add("--tier", default="core", choices=["core", "wide"], help="which of the frozen prompts; wide: the other concepts, which the nearest drawing names")
    add("--seeds", type=int, default=3, help="how many sampling seeds")
    add("--limit", type=int, help="only the first prompts, for a quick look")
    add("--distance", action="store_true", help="also the Fréchet distance, 2,000 pictures more (--write implies it)")
    add("--write", action="store_true", help="store metrics.json, sheet.png and a shipped one's card in the model's folder")
    return commands


def judge_drawing(args):
    """The frozen prompts, drawn by a pipeline."""
    from . import judge, models
    args.model = args.model or "base"
    folder = models.locate(args.model) if args.write else None  # a file has no place for a card: say so first
    pipe, network = models.load(args.model), judge.load_judge()
    scores = judge.evaluate(pipe, network, args.tier, [1000 * s for s in range(args.seeds)], args.limit)
    show(scores)
    if args.distance or args.write:
        far = judge.distances(pipe, network, args.tier)
        show(far)
        scores |= far
    if args.write:
        write(pipe, folder, scores, args)


def judge_clip(args):
    """Pools of captions and pictures, matched by a CLIP."""
    from . import judge, models
    from .train.clip import embeddings
    model, tokenizer = models.load_clip(args.model or "clip")
    hits = judge.recall(lambda captions, images: embeddings(model, tokenizer, captions, images), args.tier)
    scores = {f"{args.tier}_recall_{way}": judge.score(found) for way, found in hits.items()}
    show(scores)
    if args.write:
        from . import cards
        folder = models.locate(args.model or "clip")
        files.write_json(folder / "metrics.json", scores)
        cards.write_card(folder)


def judge_adapter(args):
    """Something that was taught on top of the base."""
    from . import adapters
    adapters.judge_adapter(args)


def show(scores):
    """Print a table of scores, each beside its ceiling where it has one."""
    for name, score in scores.items():
        if name.endswith("_ceiling") and name.removesuffix("_ceiling") in scores:
            continue
        interval = f"[{score['low']:.3f}, {score['high']:.3f}]" if "low" in score else ""
        best = scores.get(f"{name}_ceiling")
        beside = f"  ceiling {best['value']:.3f}" if best else ""
        print(f"{name:28s} {score['value']:7.3f}  {interval:16s}  n={score['n']}{beside}", flush=True)


def write(pipe, folder, scores, args):
    """Store the scores, how they were taken, and the card and contact sheet that quote them."""
    from . import adapters, cards, judge
    from .data.world import prompts
    rows = prompts(args.tier)[:args.limit]
    adapters.write(folder, scores, {"n_prompts": len(rows), "sampling_seeds": args.seeds, "sampling_steps": judge.STEPS,
                                    "guidance": judge.GUIDANCE})
    files.write_bytes(folder / "sheet.png", cards.sheet(pipe, cards.spread(rows)))
