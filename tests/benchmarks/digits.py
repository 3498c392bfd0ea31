"""Four ways to train the digits' diffusion model, with equal CPU time: what does each contribute?

    python3 tests/benchmarks/digits.py [steps] [seeds]      # default 200 3; steps: those of the first way

    eps               8 x 8 positions, the noise as target, a random last layer: the recipe as it was
    v                 the velocity as target, a last layer of zeros
    v, folded         and blocks of 2 x 2 pixels as channels (pixel unshuffle): the recipe's target="v"
    v, noise loss     the same with noise_loss, on the noise that follows from v: what a learner's own loss trains

All have 0.63 M parameters. The shortest CPU time of a step is measured for each in turn, and each gets as many steps as fit in the
time of the first way: so a busy machine does not favour any. Prints for each seed and way, for guidance scales 1 and 2, the
Fréchet distance of 500 generated digits on LeNet's features, and how many of them LeNet-5 reads as the label.
"""

import sys
import time

import torch

from edu_diffusion.data import digits
from edu_diffusion.metrics import frechet_distance
from edu_diffusion.train import ddpm, lenet
from edu_diffusion.train.loop import fit

WAYS = {"eps": (1, (32, 64), "eps"), "v": (1, (32, 64), "v"), "v, folded": (2, (64,), "v"), "v, noise loss": (2, (64,), "v")}
LABELS = torch.arange(500) % digits.CLASSES


def training(way, seed, steps):
    """(U-Net, its training)."""
    fold, widths, target = WAYS[way]
    torch.manual_seed(seed)
    unet = ddpm.build_digit_unet(fold, widths).train()
    if way == "eps":
        unet.conv_out.reset_parameters()

    def loss(step):
        x_0, labels, eps, t = ddpm.examples(64, seed, step)
        if way == "v, noise loss":
            return ddpm.noise_loss(ddpm.predictor(unet, labels, target=target), x_0, eps, t, ddpm.LEVELS)
        return ddpm.TARGETS[target](ddpm.output(unet, labels), x_0, eps, t, ddpm.LEVELS)

    return unet, fit(unet, loss, steps=steps, lr=4e-3, ema=0.99)


def step_seconds(turns=12):
    """The shortest CPU time of a step, for each way."""
    runs = {way: training(way, 0, 10**6)[1] for way in WAYS}
    times = {way: [] for way in WAYS}
    for turn in range(turns):
        for way, run in runs.items():
            start = time.process_time()
            next(run)
            times[way].append(time.process_time() - start)
    return {way: min(values[2:]) for way, values in times.items()}


def scores(reader, unet, target):
    """Fréchet distance and accuracy, for guidance scales 1 and 2."""
    features = reader[:-1].requires_grad_(False)
    real = features(digits.digits("train").images)
    for g in (1.0, 2.0):
        drawn = ddpm.draw(unet, LABELS, g=g, seed=5, target=target)
        yield frechet_distance(features(drawn), real)
        yield 100 * (reader(drawn).argmax(1) == LABELS).float().mean().item()


def main(steps=200, seeds=3):
    *_, last = lenet.train_lenet(minutes=None, steps=400)
    seconds = step_seconds()
    print(f"{'seed':>4} {'way':14} {'ms/step':>8} {'steps':>6} {'Fréchet':>8} {'read':>6}   g = 2: {'Fréchet':>8} {'read':>6}")
    for seed in range(seeds):
        for way, (_, _, target) in WAYS.items():
            count = round(steps * seconds["eps"] / seconds[way])
            unet, run = training(way, seed, count)
            for _ in run:
                pass
            d1, a1, d2, a2 = scores(last.model, unet.eval(), target)
            timing = f"{1000 * seconds[way]:8.1f} {count:6}"
            print(f"{seed:>4} {way:14} {timing} {d1:8.1f} {a1:5.1f}%          {d2:8.1f} {a2:5.1f}%", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
