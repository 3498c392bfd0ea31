"""Kill a training and a saving at random moments and count what is lost: nothing must be.

    python3 tests/benchmarks/kills.py                 # 50 kills, about five minutes on two cores
    python3 tests/benchmarks/kills.py --kills 10 --seed 3

A child process trains a small network in a run folder, saving its state after every step, and replaces a pipeline's folder and a
picture again and again. It is killed (SIGKILL) after a random time. Then: the state can be read and the training goes on from it,
the pipeline loads with all checksums right, the picture opens, and the user's own files beside them are untouched.
"""

import argparse
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHILD = """
import pathlib, sys
import torch
sys.path.insert(0, "tests")
import tiny
from edu_diffusion import models
from edu_diffusion.data import files
from edu_diffusion.train import loop
work = pathlib.Path(sys.argv[1])
pipe, model = tiny.pipeline(), torch.nn.Linear(256, 256)
loss = lambda step: model(torch.randn(4, 256, generator=loop.generator(0, step))).square().mean()
for progress in loop.fit(model, loss, steps=10**6, run=work / "run", every=0.0):
    models.save(pipe, work / "model", {"step": progress.step})
    files.write_bytes(work / "picture.png", (ROOT / "datasets/photos/cat.png").read_bytes())
    print(progress.step, flush=True)
""".replace("ROOT", f"pathlib.Path({str(ROOT)!r})")
MINE = {"thesis.txt": "years of work", "run/notes.txt": "mine, too"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    rng, steps, lost = random.Random(args.seed), 0, []
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for name, text in MINE.items():
            (work / name).parent.mkdir(exist_ok=True)
            (work / name).write_text(text)
        for number in range(1, args.kills + 1):
            killed_after(work, rng.uniform(0.0, 1.5))
            found = faults(work, steps)
            lost += [f"kill {number}: {fault}" for fault in found]
            steps = reached(work)
            print(f"kill {number}: step {steps}; {'; '.join(found) or 'nothing lost'}", flush=True)
    print(f"{args.kills} kills, {len(lost)} losses")
    return 1 if lost else 0


def killed_after(work, seconds):
    """Start the child, and kill it so many seconds after its first step."""
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(work)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = child.stdout.readline()
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    child.stdout.close()
    error = child.stderr.read().decode()
    child.stderr.close()
    child.wait()
    if not first:
        raise SystemExit(f"The child could not start: {error}")


def faults(work, before):
    """What is wrong after a kill, in words."""
    from PIL import Image

    from edu_diffusion import models

    found = [f"the training fell back from step {before} to {reached(work)}"] if reached(work) < before else []
    found += [
        f"{name} is gone or changed"
        for name, text in MINE.items()
        if not (work / name).is_file() or (work / name).read_text() != text
    ]
    for what, check in (
        ("the pipeline", lambda: models.load(work / "model", "cpu")),
        ("the picture", lambda: Image.open(work / "picture.png").load()),
    ):
        try:
            check()
        except Exception as error:
            found.append(f"{what}: {error}")
    return found


def reached(work):
    """The step of the newest undamaged state."""
    from edu_diffusion.train.state import newest

    return int(newest(work / "run")[0]["step"])


if __name__ == "__main__":
    sys.exit(main())
