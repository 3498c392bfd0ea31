"""The verb `judge`: measure a model, print the table, and with --write store it and everything that quotes it."""

import argparse
import json

from .data import files


def main(arguments=()):
    """Judge the model that the arguments name; returns the exit code 0."""
    from . import judge, models
    args = parser().parse_args(arguments)
    pipe = models.load(args.model)
    scores = judge.evaluate(pipe, judge.load_judge(), args.tier, [1000 * s for s in range(args.seeds)], args.limit)
    for name, score in scores.items():
        interval = f"  [{score['low']:.3f}, {score['high']:.3f}]" if "low" in score else ""
        print(f"{name:28s} {score['value']:7.3f}{interval}  n={score['n']}")
    if args.write:
        write(pipe, models.locate(args.model), scores, args)
    return 0


def parser():
    commands = argparse.ArgumentParser(prog="edu_diffusion judge", description="Measure how good a model is.")
    add = commands.add_argument
    add("--model", default="base", help="a shipped checkpoint's name or a folder")
    add("--tier", default="core", choices=["core", "wide"], help="which of the frozen prompts")
    add("--seeds", type=int, default=3, help="how many sampling seeds")
    add("--limit", type=int, help="only the first prompts, for a quick look")
    add("--write", action="store_true", help="store metrics.json, sheet.png and the card in the model's folder")
    return commands


def write(pipe, folder, scores, args):
    """Store the scores, how they were taken, and the card and contact sheet that quote them."""
    from . import cards, judge
    from .data.world import prompts
    rows = prompts(args.tier)[:args.limit]
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card |= {"n_prompts": len(rows), "sampling_seeds": args.seeds, "sampling_steps": judge.STEPS,
             "guidance": judge.GUIDANCE}
    files.write_json(folder / "metrics.json", scores)
    files.write_json(folder / "card.json", card)
    files.write_bytes(folder / "sheet.png", cards.sheet(pipe, cards.spread(rows)))
    cards.write_card(folder)
