"""The command `release`: retrain what is shipped; a checkpoint stays until its successor reaches the minimum scores (FLOORS).

    python3 -m edu_diffusion release                # every stage, in the order of STAGES, since each builds on earlier ones
    python3 -m edu_diffusion release canny lora     # some of them

A stage trains in OUT/<stage>, is evaluated into OUT/<stage>/model/metrics.json, and replaces the checkpoint if it reaches
its floors. After an interruption the same command resumes: neither a finished training nor its evaluation is repeated.
"""

import argparse
import operator

from edu_diffusion import install, stages
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.stages import ON_BASE, STAGES, read, shipped

COMPARED = {"seconds": 60.0, "limit": 30, "only": None, "model": "base"}

AT_LEAST, MORE, AT_MOST, LESS = ">=", ">", "<=", "<"
HOLDS = {AT_LEAST: operator.ge, MORE: operator.gt, AT_MOST: operator.le, LESS: operator.lt}
# Any blob in the middle has an IoU of 0.6 with every hand-drawn shape: this floor only means something together with _gain.
FLOORS = {  # stage: (score, its value or an end of its 95 % interval, comparison, minimum or maximum)
    "judge": [
        ("judge_concept", "value", AT_LEAST, 0.98), ("judge_style", "value", AT_LEAST, 0.98),
        ("judge_size", "value", AT_LEAST, 0.98), ("judge_place", "value", AT_LEAST, 0.98)],
    "clip": [
        ("core_recall_text_to_image", "low", MORE, 0.6), ("core_recall_image_to_text", "low", MORE, 0.6)],
    "base": [
        ("full_concept_quoted", "value", AT_LEAST, 0.95), ("full_colour", "value", AT_LEAST, 0.98),
        ("style_shown_quoted", "value", AT_LEAST, 0.9), ("unseen_wording_quoted", "value", AT_LEAST, 0.8),
        ("heldout_colour_pairs_quoted", "value", AT_LEAST, 0.9), ("heldout_style_pairs", "value", AT_LEAST, 0.3),
        ("category_quoted", "value", AT_LEAST, 0.85), ("counts", "value", AT_LEAST, 0.8),
        ("pairs_quoted", "value", AT_LEAST, 0.5), ("calibration_excess", "value", AT_MOST, 0.1),
        ("steps_1_over_20", "value", AT_LEAST, 3), ("quality", "value", AT_LEAST, 22), ("mottle", "value", AT_MOST, 4),
        ("guided_accuracy_gain", "low", MORE, 0), ("guided_variety_gain", "high", LESS, 0),
        ("habit_gain", "low", MORE, 0), ("control_gain", "low", AT_MOST, 0)],
    "canny": [
        ("canny_f1_gain", "value", AT_LEAST, 0.25), ("canny_f1_over_shuffled", "low", MORE, 0),
        ("canny_shapes_iou", "value", AT_LEAST, 0.6), ("canny_shapes_iou_gain", "value", AT_LEAST, 0.15)],
    "segmentation": [
        ("segmentation_iou_gain", "value", AT_LEAST, 0.25), ("segmentation_iou_over_shuffled", "low", MORE, 0),
        ("segmentation_shapes_iou", "value", AT_LEAST, 0.6), ("segmentation_shapes_iou_gain", "value", AT_LEAST, 0.15)],
    "lora": [("style", "value", AT_LEAST, 0.8), ("concept_shown_change", "low", AT_LEAST, -0.1)],
    "inversion": [("subject_gain", "low", MORE, 0)],
}


def main(args):
    """Run the stages that the arguments name; returns the exit code 0. Raises EduError if a stage misses a floor."""
    from edu_diffusion import training
    names, out = chosen(args.stages), args.out or install.home() / "runs" / "release"
    if args.steps is not None and args.steps < 1:
        raise EduError(f"steps must be at least 1, not {args.steps}")
    if not 1 <= args.processes <= 64:
        raise EduError(f"processes must be from 1 to 64, not {args.processes}")
    training.prepare(out, False, args.fresh)
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
        raise EduError(f"{name} misses its floors ({', '.join(missed)}), so the shipped one stays and the release stops here. "
                       "With --below-floors it is shipped anyway, and its card says so.")
    return args.only_judge or replace(name, out / name, missed, args.device)


# ---------------------------------------------------------------- evaluation

def judged(name, run):
    """The scores of <run>/model, {name: score}; evaluated once for each combination of model, judge and base."""
    model = run / "model"
    note = run / "judged.json"
    now = depends_on(name, run / "model")
    if not ((model / "metrics.json").is_file() and note.is_file() and read(note) == now):
        judge(name, model)
        files.write_json(note, now)
    return read(model / "metrics.json")


def depends_on(name, model):
    """What an evaluation depends on, as checksums."""
    facts = {"model": files.checksums(model)}
    facts |= {} if name in ("judge", "clip") else {"judge": files.sha256(shipped("judge") / "model.safetensors")}
    return facts | ({"base": stages.base_sha256()} if name in ON_BASE else {})


def judge(name, model):
    """Let the command `judge` evaluate a model and write its metrics.json; the judge itself is evaluated on real scenes."""
    from edu_diffusion import judging
    if name == "judge":
        return judge_the_judge(model)
    words = {"base": (["drawing", "--model"], ["open", "--model"]), "clip": (["clip", "--model"],)}
    for what in words.get(name, ([STAGES[name].recipe, "--adapter"],)):
        judging.main([*what, str(model), "--write"])


def judge_the_judge(model):
    """The accuracy of a judge on real scenes."""
    from edu_diffusion import adapters, judge, judging, models
    found = judge.fixed(models.load("base"), judge.load_judge(source=model))
    scores = {key: value for key, value in found.items() if key.startswith("judge_")}
    judging.show(scores)
    adapters.write(model, scores, {})


def below(name, scores):
    """Print the table of floors; returns the names of the scores that miss theirs or were not measured."""
    missed = []
    for score, end, way, bar in FLOORS[name]:
        value = scores.get(score, {}).get(end)
        fine = value is not None and HOLDS[way](value, bar)
        missed += [] if fine else [score]
        text = "unknown" if value is None else f"{value:.3f}"
        print(f"  {'ok' if fine else 'MISSED':7s}{score:32s}{end:6s}{text:>8s} {way:2s} {bar:g}", flush=True)
    return missed


# ---------------------------------------------------------------- replacing

def replace(name, run, missed=(), device=None):
    """Replace the shipped checkpoint by an evaluated model, atomically, with its scores and its card."""
    from edu_diffusion import adapters, models
    facts = {"recipe": STAGES[name].recipe, "hardware": models.hardware(device)}
    facts |= read(run / "base.json") if name in ON_BASE else {}
    adapters.ship(run / "model", shipped(name), facts | ({"below_floors": list(missed)} if missed else {}))
    print(f"  shipped: {shipped(name)}", flush=True)


def compare(run, device=None):
    """Measure all methods on the current base, then replace the table of results."""
    from edu_diffusion import comparing
    stages.on_this_base(run)
    comparing.main(argparse.Namespace(out=run, device=device, **COMPARED))
    for name in ("compared.json", "compared.md"):
        files.write_bytes(shipped(name), (run / name).read_bytes())
