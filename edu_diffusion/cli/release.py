"""The command `release`: retrain what is shipped; a checkpoint stays until its successor reaches the minimum scores (FLOORS).

    python3 -m edu_diffusion release                # every stage, in the order of STAGES, since each builds on earlier ones
    python3 -m edu_diffusion release canny lora     # some of them

A stage trains in OUT/<stage>, is evaluated into OUT/<stage>/model/metrics.json, and replaces the checkpoint if it reaches
its floors. After an interruption the same command resumes: neither a finished training nor its evaluation is repeated.
"""

import argparse

from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

from . import compare as comparing
from . import judge, runs, scores, stages
from .floors import below
from .ship import ship
from .shipped import base_sha256, read, shipped
from .stages import ON_BASE, STAGES

COMPARED = {"seconds": 60.0, "limit": 30, "only": None, "model": "base"}


def run(args, rest=()):
    """Run the stages that the arguments name; returns the exit code 0. Raises EduError if a stage misses a floor."""
    names, out = chosen(args.stages), args.out or environment.home() / "runs" / "release"
    if args.steps is not None and args.steps < 1:
        raise EduError(f"steps must be at least 1, not {args.steps}")
    if not 1 <= args.processes <= 64:
        raise EduError(f"processes must be from 1 to 64, not {args.processes}")
    runs.prepare(out, False, args.fresh)
    for name in names:
        print(f"{name}:", flush=True)
        run_stage(name, out, args)
    return 0


def chosen(names):
    """The stages with these names, or all, in the order in which they build on each other."""
    unknown = [name for name in names if name not in STAGES]
    if unknown:
        raise EduError(f"there is no stage {unknown[0]}; the stages are: {', '.join(STAGES)}")
    return [name for name in STAGES if name in names or not names]


def run_stage(name, out, args):
    """Train, evaluate, compare with the floors, and replace the checkpoint; args.only_judge: evaluate and compare only."""
    if name == "compare":
        return args.only_judge or compare(out / name, args.device)
    if not args.only_judge:
        stages.train(name, out / name, args.steps or STAGES[name].steps, args.device, args.processes)
    elif not (out / name / "model").is_dir():
        return print(f"  there is no trained model in {out / name}")
    missed = below(name, judged(name, out / name))
    if missed and not (args.below_floors or args.only_judge):
        raise EduError(
            f"{name} misses its floors ({', '.join(missed)}), so the shipped one stays and the release stops here. "
            "With --below-floors it is shipped anyway, and its card says so."
        )
    return args.only_judge or replace(name, out / name, missed, args.device)


# ---------------------------------------------------------------- evaluation


def judged(name, run):
    """The scores of <run>/model, {name: score}; evaluated once for each combination of model, judge and base."""
    model = run / "model"
    note = run / "judged.json"
    now = depends_on(name, run / "model")
    if not ((model / "metrics.json").is_file() and note.is_file() and read(note) == now):
        metrics(name, model)
        files.write_json(note, now)
    return read(model / "metrics.json")


def depends_on(name, model):
    """What an evaluation depends on, as checksums."""
    facts = {"model": files.checksums(model)}
    facts |= {} if name in ("judge", "clip") else {"judge": files.sha256(shipped("judge") / "model.safetensors")}
    return facts | ({"base": base_sha256()} if name in ON_BASE else {})


def metrics(name, model):
    """Let the command `judge` evaluate a model and write its metrics.json; the judge itself is evaluated on real scenes."""
    if name == "judge":
        return judge_the_judge(model)
    words = {"base": (["drawing", "--model"], ["open", "--model"]), "clip": (["clip", "--model"],)}
    for what in words.get(name, ([STAGES[name].recipe, "--adapter"],)):
        judge.main([*what, str(model), "--write"])


def judge_the_judge(model):
    """The accuracy of a judge on real scenes."""
    from edu_diffusion import metrics, models

    found = metrics.fixed(models.load("base"), metrics.load_judge(source=model))
    found = {key: value for key, value in found.items() if key.startswith("judge_")}
    scores.show(found)
    scores.write(model, found)


# ---------------------------------------------------------------- replacing


def replace(name, run, missed=(), device=None):
    """Replace the shipped checkpoint by an evaluated model, atomically, with its scores and its card."""
    from edu_diffusion import models

    facts = {"recipe": STAGES[name].recipe, "hardware": models.hardware(device)}
    facts |= read(run / "base.json") if name in ON_BASE else {}
    ship(run / "model", shipped(name), facts | ({"below_floors": list(missed)} if missed else {}))
    print(f"  shipped: {shipped(name)}", flush=True)


def compare(run, device=None):
    """Measure all methods on the current base, then replace the table of results."""
    stages.on_this_base(run)
    comparing.run(argparse.Namespace(out=run, device=device, **COMPARED))
    for name in ("compared.json", "compared.md"):
        files.write_bytes(shipped(name), (run / name).read_bytes())
