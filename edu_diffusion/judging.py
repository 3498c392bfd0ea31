"""The command `judge`: evaluate a model, print the scores, and with --write store them and every file that quotes them.

    judge            prompt adherence of the pipeline on the frozen prompts      checkpoints/base
    judge open       variety, calibration, image quality, number of steps, guidance
    judge clip       retrieval: do captions and pictures find each other?        checkpoints/clip
    judge edit       how strength, masks and inversion change an image
    judge lora       what an adapter gained and what it cost; likewise hyper, aligned, control, dreambooth, inversion
"""

import argparse

from .data import files
from .errors import EduError

CALIBRATION = 300  # seeds per open prompt
MEASURES = ("calibration", "variety", "steps", "quality", "choice", "plain", "effect", "habits")  # of judge open
ADAPTERS = ("edit", "lora", "hyper", "aligned", "control", "dreambooth", "inversion")


def main(arguments=()):
    """Evaluate what the arguments name; returns the exit code 0."""
    args = parser().parse_args(arguments)
    if args.seeds is None:
        args.seeds = CALIBRATION if args.what == "open" else 3
    if args.seeds < 1 or (args.what == "open" and (args.seeds < 2 or args.tier != "core")):
        raise EduError("--seeds must be at least 1; open needs at least 2, and the tier core: variety is measured between seeds.")
    {"drawing": judge_drawing, "clip": judge_clip, "open": judge_open}.get(args.what, judge_adapter)(args)
    return 0


def parser():
    commands = argparse.ArgumentParser(prog="edu_diffusion judge", description="Evaluate a model.")
    add = commands.add_argument
    add("what", nargs="?", default="drawing", choices=["drawing", "clip", "open", *ADAPTERS],
        help="what to evaluate (default: drawing, the images of the pipeline)")
    add("--model", help="a shipped checkpoint's name or a folder (default: base, or clip); for an adapter, its base model")
    add("--adapter", help="a shipped adapter's name or a folder (default: the shipped one of the kind)")
    add("--tier", default="core", choices=["core", "wide"],
        help="which of the frozen prompts; wide: the other concepts, identified by the nearest reference sprite")
    add("--seeds", type=int, help="number of sampling seeds (default 3; open: 300 for calibration, at most 64 for the rest)")
    add("--limit", type=int, help="only the first prompts of each split, for a quick test; open: also the number of habits")
    add("--only", nargs="+", choices=MEASURES, default=MEASURES, help="open: which metrics")
    add("--pictures", type=int, default=2000, help="open: images in each set of a Fréchet distance (default 2000)")
    add("--batch", type=int, help="open: batch size for sampling (default: depends on the device)")
    add("--distance", action="store_true", help="also the Fréchet distance, 2,000 more images (--write implies it)")
    add("--write", action="store_true", help="store metrics.json, sheet.png and a shipped model's card in the model's folder")
    return commands


def judge_drawing(args):
    """Prompt adherence: images generated for the frozen prompts."""
    from . import judge, models
    args.model = args.model or "base"
    folder = models.locate(args.model) if args.write else None  # a single file has no place for a card: fail early
    pipe, network = models.load(args.model), judge.load_judge()
    scores = judge.evaluate(pipe, network, args.tier, [1000 * s for s in range(args.seeds)], args.limit)
    show(scores)
    if args.distance or args.write:
        far = judge.distances(pipe, network, args.tier)
        show(far)
        scores |= far
    if args.write:
        write(pipe, folder, scores, args)


def judge_open(args):
    """Open prompts: calibration, variety, steps, quality, guidance; with --write, merged into metrics.json."""
    from . import cards, judge, models
    args.model = args.model or "base"
    folder = models.locate(args.model) if args.write else None
    pipe, network = models.load(args.model), judge.load_judge()
    scores = {}
    for name in args.only:
        found = measures(pipe, network, args)[name]()
        show(found)
        scores |= found
    if args.write:
        merge(folder, scores)
        cards.write_card(folder)


def measures(pipe, network, args):
    """{name: function without arguments} of the metrics of `judge open`, with the sizes that the options ask for."""
    from . import metrics
    from .data.world import world
    rows, habits = metrics.open_prompts(args.limit), world().habits[:args.limit]
    few = min(args.seeds, 8)
    some = min(args.seeds, 64)
    batch = args.batch
    return {"calibration": lambda: metrics.calibration(pipe, network, rows=rows, seeds=args.seeds, batch=batch),
            "variety": lambda: metrics.variety(pipe, network, rows=rows, seeds=few, batch=batch),
            "steps": lambda: metrics.by_steps(pipe, network, n=args.pictures, batch=batch),
            "quality": lambda: metrics.quality(pipe, network, limit=args.limit, batch=batch),
            "choice": lambda: metrics.choose(pipe, network, limit=args.limit, batch=batch),
            "plain": lambda: metrics.plain_call(pipe, network, limit=args.limit, batch=batch),
            "effect": lambda: metrics.effect(pipe, network, seeds=few, limit=args.limit, batch=batch),
            "habits": lambda: metrics.habits(pipe, network, seeds=some, rows=habits, batch=batch)}


def merge(folder, scores):
    """Add scores to those that metrics.json already holds."""
    files.write_json(folder / "metrics.json", files.read_json(folder / "metrics.json") | scores)


def judge_clip(args):
    """CLIP retrieval: captions matched to pictures within pools."""
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
    """Something that was trained on top of the base model."""
    from . import adapters
    adapters.judge_adapter(args)


def show(scores):
    """Print a table of scores, each with its ceiling where it has one."""
    for name, score in scores.items():
        if name.endswith("_ceiling") and name.removesuffix("_ceiling") in scores:
            continue
        interval = f"[{score['low']:.3f}, {score['high']:.3f}]" if "low" in score else ""
        best = scores.get(f"{name}_ceiling")
        beside = f"  ceiling {best['value']:.3f}" if best else ""
        print(f"{name:28s} {score['value']:7.3f}  {interval:16s}  n={score['n']}{beside}", flush=True)


def write(pipe, folder, scores, args):
    """Store the scores, the evaluation settings, and the card and contact sheet that quote them."""
    from . import adapters, cards, judge
    rows = judge.chosen(args.tier, args.limit)
    how = {"n_prompts": len(rows), "sampling_seeds": args.seeds, "sampling_steps": judge.STEPS, "guidance": judge.GUIDANCE}
    adapters.write(folder, files.read_json(folder / "metrics.json") | scores, how)
    files.write_bytes(folder / "sheet.png", cards.sheet(pipe, cards.spread(rows)))
