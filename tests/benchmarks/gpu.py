"""Training on a GPU: scenes are composed, encoded and learned entirely on the device, in one command of limited duration.

    python3 tests/benchmarks/gpu.py --out DIR --smoke            # two minutes: does everything run, and how fast?
    python3 tests/benchmarks/gpu.py --out DIR --start FOLDER     # ten minutes: every stage
    python3 tests/benchmarks/gpu.py --out DIR --device cpu --pool 64 --batch 8 --steps 2 --no-compile    # a dry run

Each stage saves its weights, in half precision, and its results (results.json, log.txt) when it ends; a run that is
killed keeps all finished stages. bf16 arithmetic with float32 weights. If there is less time than the stages
ask for, each is shortened by the same factor. A base run that is killed leaves moving-average weights at most a minute old.
"""

import argparse
import pathlib
import sys
import tempfile
import time

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]  # the program's parts, and the package where it is not installed

from gpu import base, checks, compose, control, pool, sight, towers  # noqa: E402
from gpu.learn import Out, learn  # noqa: E402

from edu_diffusion import metrics, models  # noqa: E402

SECONDS = {"clip": 30, "base": 280, "judge": 35, "canny": 25, "segmentation": 25, "checks": 35, "measures": 85}
SMOKE = dict.fromkeys(SECONDS, 1.5) | {"checks": 12, "measures": 15}
DEADLINE, SHORT = 590, 110  # seconds of the whole command; of the smoke run
MARGIN = 5  # seconds that a stage may need besides its own
BATCHES, TRIAL = (256, 512, 1024), 2.5  # what the smoke run tries, and for how many seconds each


def options(arguments=None):
    """The command line."""
    read = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    read.add_argument("--out", required=True, help="folder for the results")
    read.add_argument("--stages", default=",".join(SECONDS), help="the stages to run, in order")
    read.add_argument("--seconds", default="", help="of stages, such as clip=40,base=330")
    read.add_argument("--deadline", type=float, help=f"seconds of the whole command: {DEADLINE}, or {SHORT} of a smoke run")
    read.add_argument("--device", default=None)
    read.add_argument("--batch", type=int, default=512)
    read.add_argument("--lr", type=float, default=1.2e-3, help="of the stage base")
    read.add_argument("--pool", type=int, default=400_000, help="number of scenes")
    read.add_argument("--steps", type=int, help="maximum steps per stage")
    read.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True, help="the U-Net of the stage base")
    read.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=False)
    read.add_argument("--start", default="base", help="pipeline folder to continue from; missing parts: the shipped base's")
    read.add_argument("--tokenizer", help="folder of the tokenizer, if not that of --start")
    read.add_argument("--cache", default=str(pathlib.Path(tempfile.gettempdir()) / "gpu_scenes"), help="folder of the captions")
    read.add_argument("--workers", type=int, default=14, help="processes that write captions; 0: none")
    read.add_argument("--seed", type=int, default=0)
    read.add_argument("--smoke", action="store_true", help="a short run of everything, and timings")
    return settled(read.parse_args(arguments))


def settled(args):
    """The options with everything derived from them."""
    args.deadline = args.deadline or (SHORT if args.smoke else DEADLINE)
    args.pool = min(args.pool, 20_000) if args.smoke else args.pool
    args.device = models.pick_device(args.device)
    given = dict(pair.split("=") for pair in args.seconds.split(",") if pair)
    own = (SMOKE if args.smoke else SECONDS) | {name: float(value) for name, value in given.items()}
    args.seconds = {name: own[name] for name in args.stages.split(",") if name}
    args.tokenizer = args.tokenizer or str(base.part_folder(args.start, "tokenizer"))
    return args


def prepare(args, out):
    """What the stages need: (parts, pool, sprites, the U-Net's forward). The captions are written during compilation."""
    pool.reader(args.tokenizer)  # the library is imported before the processes begin
    wait = pool.begin(pool.jobs(args.pool, args.seed, args.tokenizer, args.cache), args.workers)
    checks.precision(args.device, "high")
    torch.backends.cudnn.benchmark = True
    parts = base.Parts(args.start, args.tokenizer, args.device)
    if args.channels_last:
        parts.unet.to(memory_format=torch.channels_last)
    cells = compose.drawings(args.device)
    out.say("models and drawings are there")
    early = "base" in args.seconds and not args.smoke  # a smoke run compiles last
    predict = base.compiled(parts, args, out) if early else base.forward(parts.unet)
    some = pool.gather(wait(), cells, parts.vae, args.device, args.seed)
    out.say(f"pool: {len(some):,} scenes")
    return parts, some, cells, predict


def timings(parts, some, args, out):
    """Samples per second of the stage base: uncompiled at each of BATCHES, channels last, and compiled."""
    sizes = BATCHES if args.device.type == "cuda" else (args.batch,)
    plain = base.forward(parts.unet)
    for size in sizes:
        timed(f"plain, batch {size}", parts, some, plain, size, args, out)
    parts.unet.to(memory_format=torch.channels_last)
    timed("channels last", parts, some, plain, args.batch, args, out)
    parts.unet.to(memory_format=torch.channels_last if args.channels_last else torch.contiguous_format)
    predict = base.trusted(parts, base.compiled(parts, args, out), some, args, out)
    timed("as the stage base does it", parts, some, predict, args.batch, args, out)


def timed(name, parts, some, forward, size, args, out):
    """Samples per second of one variant, stored in results.json; the weights hardly change."""
    both = base.learning(parts)
    loss = lambda: base.loss_of(forward, parts.text_encoder, *base.examples(some, parts, size), parts.abar)  # noqa: E731
    most = args.steps or 10**9
    for steps in (min(3, most), most):  # the first for what is done once
        facts = learn(name, both, loss, out, seconds=TRIAL, batch=size, lr=1e-9, steps=steps)
    out.note("timings", out.results.get("timings", {}) | {name: facts["samples_per_second"]})


def stage(name, shared, args, out, seconds):
    """One stage; `shared` is the state that the stages share, a dict. Returns facts."""
    parts = shared["parts"]
    some = shared["pool"]
    cells = shared["cells"]
    torch.manual_seed(args.seed)
    if name == "clip":
        return towers.train(parts, some, cells, out, args, seconds)
    if name == "base":
        return base.train(parts, some, base.trusted(parts, shared["predict"], some, args, out), out, args, seconds)
    if name == "judge":
        facts, shared["judge"] = sight.train(cells, out, args, seconds)
        return facts
    if name in ("canny", "segmentation"):
        facts, shared["nets"][name] = control.train(name, parts, some, cells, out, args, seconds)
        return facts
    if name == "checks":
        return checks.check(parts.pipe(), args.device, out, seconds, args.smoke)
    seen = shared.get("judge") or metrics.load_judge(args.device)
    return checks.measure(parts.pipe(), seen, shared["nets"], out, seconds, args.smoke)


def run(shared, args, out, end):
    """All stages in order, each shortened by the same factor if time is short."""
    waiting = dict(args.seconds)
    for name in args.seconds:
        left = end - time.monotonic() - MARGIN
        seconds = waiting[name] * min(1, left / sum(waiting.values()))
        del waiting[name]
        if seconds < 1:
            out.say(f"{name}: skipped, no time is left")
            continue
        found = checks.attempt(lambda: stage(name, shared, args, out, seconds), left)
        out.note(name, found)
        out.say(f"{name}: {'done' if 'value' in found else found}")


def main(arguments=None):
    args = options(arguments)
    out, hardware = Out(args.out), models.hardware(args.device)
    end = out.began + args.deadline
    out.say(f"torch {torch.__version__}, {hardware}, {args.seconds}")
    out.note("settings", vars(args) | {"torch": torch.__version__, "hardware": hardware})
    parts, some, cells, predict = prepare(args, out)
    run({"parts": parts, "pool": some, "cells": cells, "predict": predict, "nets": {}}, args, out, end)
    if args.smoke:
        found = checks.attempt(lambda: timings(parts, some, args, out), end - time.monotonic())
        out.say(f"timings: {out.results.get('timings')} {found}")
    out.say("the end")


if __name__ == "__main__":
    main()
