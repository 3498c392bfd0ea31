"""The verb `judge`: measure a model, print the table, and with --write store it and everything that quotes it.

    judge            does the pipeline draw what is asked?          checkpoints/base
    judge open       is its variety the right one? what do steps and guidance change?
    judge clip       do captions and pictures find each other?      checkpoints/clip
    judge edit       how strength, masks and inversion change a picture
    judge lora       what an adapter gained and what it cost; likewise hyper, aligned, control, dreambooth, inversion
"""

import argparse
import json

from .data import files
from .errors import EduError

CALIBRATION = 300  # seeds of each open prompt
MEASURES = ("calibration", "variety", "steps", "quality", "choice", "effect", "habits")  # of judge open
ADAPTERS = ("edit", "lora", "hyper", "aligned", "control", "dreambooth", "inversion")


def main(arguments=()):
    """Judge what the arguments name; returns the exit code 0."""
    args = parser().parse_args(arguments)
    args.seeds = (CALIBRATION if args.what == "open" else 3) if args.seeds is None else args.seeds
    if args.seeds < 1 or (args.what == "open" and (args.seeds < 2 or args.tier != "core")):
        raise EduError("--seeds must be at least 1, for open at least 2 and of the tier core: variety is seen between seeds.")
    {"drawing": judge_drawing, "clip": judge_clip, "open": judge_open}.get(args.what, judge_adapter)(args)
    return 0


def parser():
    commands = argparse.ArgumentParser(prog="edu_diffusion judge", description="Measure how good a model is.")
    add = commands.add_argument
    add("what", nargs="?", default="drawing", choices=["drawing", "clip", "open", *ADAPTERS],
        help="which ability (default: drawing)")
    add("--model", help="a shipped checkpoint's name or a folder (default: base, or clip); for an adapter its base")
    add("--adapter", help="a shipped adapter's name or a folder (default: the shipped one of the kind)")
    add("--tier", default="core", choices=["core", "wide"],
        help="which of the frozen prompts; wide: the other concepts, which the nearest drawing names")
    add("--seeds", type=int, help="how many sampling seeds (default 3; open: 300 for calibration, and at most 64 for the rest)")
    add("--limit", type=int, help="only the first prompts of each split, for a quick look; open: also so many habits")
    add("--only", nargs="+", choices=MEASURES, default=MEASURES, help="open: which measures")
    add("--pictures", type=int, default=2000, help="open: pictures in each set of a Fréchet distance (default 2000)")
    add("--batch", type=int, help="open: pictures drawn at once (default: what suits the device)")
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


def judge_open(args):
    """What is open in a prompt: calibration, variety, steps, quality, guidance; with --write merged into metrics.json."""
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
    """{name: function without arguments} of the measures of `judge open`, as wide as the options say."""
    from . import metrics
    from .data.world import world
    rows, habits = metrics.open_prompts(args.limit), world().habits[:args.limit]
    few, some, batch = min(args.seeds, 8), min(args.seeds, 64), args.batch
    return {"calibration": lambda: metrics.calibration(pipe, network, rows=rows, seeds=args.seeds, batch=batch),
            "variety": lambda: metrics.variety(pipe, network, rows=rows, seeds=few, batch=batch),
            "steps": lambda: metrics.by_steps(pipe, network, n=args.pictures, batch=batch),
            "quality": lambda: metrics.quality(pipe, network, limit=args.limit, batch=batch),
            "choice": lambda: metrics.choose(pipe, network, limit=args.limit, batch=batch),
            "effect": lambda: metrics.effect(pipe, network, seeds=few, limit=args.limit, batch=batch),
            "habits": lambda: metrics.habits(pipe, network, seeds=some, rows=habits, batch=batch)}


def merge(folder, scores):
    """Put scores among those that metrics.json holds already."""
    files.write_json(folder / "metrics.json", known(folder) | scores)


def known(folder):
    """The scores that a folder's metrics.json holds, none if there is no such file."""
    path = folder / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


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
    rows = judge.chosen(args.tier, args.limit)
    adapters.write(folder, known(folder) | scores, {"n_prompts": len(rows), "sampling_seeds": args.seeds, "sampling_steps": judge.STEPS,
                                    "guidance": judge.GUIDANCE})
    files.write_bytes(folder / "sheet.png", cards.sheet(pipe, cards.spread(rows)))
