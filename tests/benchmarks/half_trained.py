"""Make checkpoints/half_trained: the digit models of lessons 00 and 02 after a part of their training, for slow computers.

    python3 tests/benchmarks/half_trained.py          # make them anew, about two minutes
    python3 tests/benchmarks/half_trained.py --judge  # and compare them with a whole training of a minute each

--judge prints the Fréchet distance of 500 digits (g = 1) and the share that LeNet-5 reads as the label asked for.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from edu_diffusion.cli.cards import write_card  # noqa: E402
from edu_diffusion.data import digits, files  # noqa: E402
from edu_diffusion.metrics import frechet_distance  # noqa: E402
from edu_diffusion.train import half  # noqa: E402
from edu_diffusion.train.ddpm import draw, train_ddpm  # noqa: E402
from edu_diffusion.train.lenet import train_lenet  # noqa: E402

# steps of the state, and seconds that the lesson trains: a computer that does not get that far in this time goes on from there
STATES = {"eps": (150, 25), "v": (500, 60)}
LABELS = torch.arange(500) % digits.CLASSES


def trained(target, **limit):
    """The U-Net after a training: its moving average."""
    *_, last = train_ddpm(**{"minutes": None, **limit}, target=target, device="cpu")
    return last.model.eval()


def make():
    """Train both, and write the folder."""
    facts = {f"{name}_steps": steps for name, (steps, _) in STATES.items()}
    with files.staged(files.folder("checkpoints") / half.FOLDER, {"seed": 0} | facts) as stage:
        for target, (steps, seconds) in STATES.items():
            weights = {name: x.detach().half().contiguous() for name, x in trained(target, steps=steps).state_dict().items()}
            save_file(weights, stage / f"ddpm_{target}.safetensors", {"steps": str(steps), "speed": f"{steps / seconds:.3g}"})
    write_card(files.folder("checkpoints") / half.FOLDER)


def judge():
    """Print the table: half-trained against a whole training of the lesson."""
    *_, last = train_lenet(minutes=None, steps=400)
    print("| target | training | Fréchet distance | read as asked |\n|---|---|---|---|")
    for target, (steps, seconds) in STATES.items():
        ways = {f"{steps} steps": {"steps": steps}, f"{seconds} seconds": {"minutes": seconds / 60}}
        for name, limit in ways.items():
            drawn = draw(trained(target, **limit), LABELS, target=target)
            print(f"| {target} | {name} | {' | '.join(scores(last.model.eval(), drawn))} |", flush=True)


@torch.no_grad()
def scores(reader, drawn):
    """The Fréchet distance to the training digits, and the share that the reader takes for what was asked."""
    features = reader[:-1]
    distance = frechet_distance(features(drawn), features(digits.digits("train").images))
    return f"{distance:.1f}", f"{(reader(drawn).argmax(1) == LABELS).float().mean():.0%}"


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--judge", action="store_true", help="compare with a whole training")
    args = options.parse_args()
    make()
    if args.judge:
        judge()


if __name__ == "__main__":
    main()
