"""The command `judge`: evaluate a model, print the scores, and with --write store them and every file that quotes them.

judge            prompt adherence of the pipeline on the frozen prompts      checkpoints/base
judge open       variety, calibration, image quality, number of steps, guidance
judge clip       retrieval: do captions and pictures find each other?        checkpoints/clip
judge edit       how strength, masks and inversion change an image
judge lora       what an adapter gained and what it cost; likewise hyper, aligned, control, dreambooth, inversion
judge few_steps  few calls of the U-Net: the library's samplers and the distilled LoRA, side by side
"""

import argparse

from ..data import files
from ..errors import EduError
from . import cards, judge_adapters, scores

CALIBRATION = 300  # seeds per open prompt
MEASURES = ("calibration", "variety", "steps", "quality", "choice", "plain", "effect", "habits")  # of judge open
ADAPTERS = ("edit", "lora", "hyper", "aligned", "control", "dreambooth", "inversion", "few_steps")


def run(args, rest=()):
    """The verb: its own parser reads all that follows it."""
    return main(rest)


def main(arguments=()):
    """Evaluate what the arguments name; returns the exit code 0."""
    args = parser().parse_args(arguments)
    if args.seeds is None:
        args.seeds = CALIBRATION if args.what == "open" else 3
    if args.seeds < 1 or (args.what == "open" and (args.seeds < 2 or args.tier != "core")):
        raise EduError("--seeds must be at least 1; open needs at least 2, and the tier core: variety is measured between seeds.")
    {"drawing": judge_drawing, "clip": judge_clip, "open": judge_open}.get(args.what, judge_adapters.run)(args)
    return 0


def parser():
    commands = argparse.ArgumentParser(prog="edu_diffusion judge", description="Evaluate a model.")
    add = commands.add_argument
    add(
        "what",
        nargs="?",
        default="drawing",
        choices=["drawing", "clip", "open", *ADAPTERS],
        help="what to evaluate (default: drawing, the images of the pipeline)",
    )
    add("--model", help="a shipped checkpoint's name or a folder (default: base, or clip); for an adapter, its base model")
    add("--adapter", help="a shipped adapter's name or a folder (default: the shipped one of the kind)")
    add(
        "--tier",
        default="core",
        choices=["core", "wide"],
        help="which of the frozen prompts; wide: the other concepts, identified by the nearest reference sprite",
    )
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
    from .. import metrics, models

    args.model = args.model or "base"
    folder = models.path_of(args.model) if args.write else None  # a single file has no place for a card: fail early
    pipe, network = models.load(args.model), metrics.load_judge()
    found = metrics.evaluate(pipe, network, args.tier, [1000 * s for s in range(args.seeds)], args.limit)
    scores.show(found)
    if args.distance or args.write:
        far = metrics.distances(pipe, network, args.tier)
        scores.show(far)
        found |= far
    if args.write:
        write(pipe, folder, found, args)


def judge_open(args):
    """Open prompts: calibration, variety, steps, quality, guidance; with --write, merged into metrics.json."""
    from .. import metrics, models

    args.model = args.model or "base"
    folder = models.path_of(args.model) if args.write else None
    pipe, network = models.load(args.model), metrics.load_judge()
    found = {}
    for name in args.only:
        one = measures(pipe, network, args)[name]()
        scores.show(one)
        found |= one
    if args.write:
        scores.merge(folder, found)


def measures(pipe, network, args):
    """{name: function without arguments} of the metrics of `judge open`, with the sizes that the options ask for."""
    from .. import metrics
    from ..data.world import world

    rows, habits = metrics.open_prompts(args.limit), world().habits[: args.limit]
    few = min(args.seeds, 8)
    some = min(args.seeds, 64)
    batch = args.batch
    return {
        "calibration": lambda: metrics.calibration_scores(pipe, network, rows=rows, seeds=args.seeds, batch=batch),
        "variety": lambda: metrics.variety_scores(pipe, network, rows=rows, seeds=few, batch=batch),
        "steps": lambda: metrics.by_steps(pipe, network, n=args.pictures, batch=batch),
        "quality": lambda: metrics.quality_scores(pipe, network, limit=args.limit, batch=batch),
        "choice": lambda: metrics.choose(pipe, network, limit=args.limit, batch=batch),
        "plain": lambda: metrics.plain_call(pipe, network, limit=args.limit, batch=batch),
        "effect": lambda: metrics.effect(pipe, network, seeds=few, limit=args.limit, batch=batch),
        "habits": lambda: metrics.habits(pipe, network, seeds=some, rows=habits, batch=batch),
    }


def judge_clip(args):
    """CLIP retrieval: captions matched to pictures within pools."""
    from .. import metrics, models
    from ..train.clip import embeddings

    model, tokenizer = models.load_clip(args.model or "clip")
    hits = metrics.recall(lambda captions, images: embeddings(model, tokenizer, captions, images), args.tier)
    found = {f"{args.tier}_recall_{way}": metrics.score(hit) for way, hit in hits.items()}
    scores.show(found)
    if args.write:
        scores.write(models.path_of(args.model or "clip"), found)


def write(pipe, folder, found, args):
    """Store the scores, the evaluation settings, and the card and contact sheet that quote them."""
    from .. import metrics

    rows = metrics.chosen(args.tier, args.limit)
    how = {"n_prompts": len(rows), "sampling_seeds": args.seeds, "sampling_steps": metrics.STEPS, "guidance": metrics.GUIDANCE}
    scores.write(folder, files.read_json(folder / "metrics.json") | found, how)
    files.write_bytes(folder / "sheet.png", cards.sheet(pipe, cards.spread(rows)))
