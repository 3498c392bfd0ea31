"""Variants of the U-Net's training step, side by side: samples per second, and the loss after equal training time.

    python3 tests/benchmarks/pace.py [--seconds 60] [--only channels]

Every row continues from the shipped base with open captions, in the recipe's own loop, for this many seconds.
The rows take turns, in alternating order, so that a machine that slows down slows them all. Error: squared error of the
predicted v on the same 512 unseen scenes, captions, timesteps and noise, with the final moving average.
The last rows are two processes of one thread that average their gradients; their number of steps is measured beforehand,
since both must stop at the same one. Nothing is saved. With --seconds 45 it takes about ten minutes on two cores.
"""

import argparse
import multiprocessing
import pathlib
import tempfile
from typing import NamedTuple

import torch

from edu_diffusion import models
from edu_diffusion.data import scenes
from edu_diffusion.train.loop import fit, generator, plain_attention
from edu_diffusion.train.losses import drop_captions, latent_loss
from edu_diffusion.train.parts import Parts
from edu_diffusion.train.processes import join, mean

POOL, UNSEEN = 2048, 512  # scenes to train on, and to measure on
LR = 7e-4  # the recipe's
TURNS = 4  # a row's seconds are cut into so many


class Way(NamedTuple):
    """How a row trains: fit's arithmetic and warmup, and samples per step, which its processes share."""

    arithmetic: str = "autocast"
    batch: int = 64
    warmup: float = 0.02
    processes: int = 1


WAYS = {
    "autocast, batch 64, warm-up of 50 steps": Way(warmup=50),
    "warm-up of 2 % (as all below)": Way(),
    "batch 32": Way(batch=32),
    "batch 128": Way(batch=128),
    "channels-last": Way("channels_last"),
    "bf16 weights, float32 masters": Way("bf16"),
    "bf16 weights, channels-last": Way("bf16_channels_last"),
    "two processes, autocast": Way(processes=2),
    "two processes, bf16 weights": Way("bf16", processes=2),
}


def compose(parts, n, seed):
    """n core scenes, 64 at a time: latents (n, 4, 16, 16) and the Spec of their content."""
    seen = [scenes.mixed(min(64, n - k), seed + k, 0.0, many=scenes.MANY) for k in range(0, n, 64)]
    return torch.cat([parts.latents(s.images) for s in seen]), scenes.Spec(*map(torch.cat, zip(*(s.spec for s in seen))))


class Learner:
    """The shipped base, trained further: a module, and its loss on some scenes with new captions."""

    def __init__(self):
        self.parts = Parts(None, None, torch.device("cpu"))
        self.unet = plain_attention(self.parts.unet())
        self.both = torch.nn.ModuleDict({"unet": self.unet, "text_encoder": self.parts.text_encoder}).train()
        self.abar = models.build_scheduler().alphas_cumprod

    def loss(self, data, index, rng):
        z_0, spec = data[0][index], scenes.Spec(*(values[index] for values in data[1]))
        captions = drop_captions([scenes.say(spec, i, rng) for i in range(len(z_0))], rng)
        return latent_loss(self.unet, z_0, self.parts.text(captions), self.abar, rng)

    def train(self, data, way, seed=0, steps=None, seconds=None, together=None):
        """fit in this variant; seed: of the samples of this process."""

        def loss(step):
            rng = generator(seed, step)
            return self.loss(data, torch.randint(len(data[0]), (way.batch // way.processes,), generator=rng), rng)

        return fit(
            self.both,
            loss,
            minutes=seconds and seconds / 60,
            steps=steps,
            lr=LR,
            arithmetic=way.arithmetic,
            warmup=way.warmup,
            together=together,
        )

    @torch.no_grad()
    def error(self, data):
        """The loss on all of the scenes, 64 at a time, always with the same random numbers."""
        with models.autocast(torch.device("cpu")):
            some = [self.loss(data, slice(k, k + 64), generator(10**6, k)) for k in range(0, len(data[0]), 64)]
        return torch.stack(some).mean().item()


class Row:
    """One process that trains in turns."""

    def __init__(self, way, files, seconds):
        self.way = way
        self.seconds = seconds
        self.learner = Learner()
        pool, self.unseen = torch.load(files / "scenes.pt", weights_only=False)
        self.progress = self.learner.train(pool, way, seconds=seconds)

    def turn(self, share):
        """Train until this share of the seconds is over."""
        for self.last in self.progress:
            if share < 1 and self.last.seconds >= share * self.seconds:
                break

    def result(self):
        """(steps, seconds, error) after the last turn."""
        return self.last.step, self.last.seconds, self.learner.error(self.unseen)


class Pair:
    """Two processes that train together in turns; the interface of Row."""

    def __init__(self, way, files, seconds):
        context, meeting = multiprocessing.get_context("spawn"), (files / f"meeting-{id(self)}").as_uri()
        self.pipes, ends = zip(*(context.Pipe() for _ in range(way.processes)))
        for rank, end in enumerate(ends):
            context.Process(target=child, args=(rank, way, files, meeting, seconds, end), daemon=True).start()
            end.close()  # so that a child that fails ends the wait for it
        self.answers()

    def answers(self):
        return [pipe.recv() for pipe in self.pipes]

    def turn(self, share):
        for pipe in self.pipes:
            pipe.send(share)
        return self.answers()

    def result(self):
        return self.turn(None)[0]


def child(rank, way, files, meeting, seconds, pipe):
    """One process of a Pair: measures how many steps fit into the time, then takes them in turns."""
    join(rank, way.processes, meeting)
    pool, unseen = torch.load(files / "scenes.pt", weights_only=False)
    steps, learner = max(2, round(seconds / step_seconds(pool, way, rank))), Learner()
    progress = learner.train(pool, way, rank, steps=steps, together=mean)
    pipe.send("ready")
    while (share := pipe.recv()) is not None:
        for last in progress:
            if share < 1 and last.step >= share * steps:
                break
        pipe.send("done")
    pipe.send((last.step, last.seconds, learner.error(unseen) if rank == 0 else None))


def step_seconds(data, way, rank):
    """Seconds per step, the mean of four after two slow first ones; the same in all processes."""
    tried = list(Learner().train(data, way, rank, steps=6, together=mean))
    mean([seconds := torch.tensor([(tried[5].seconds - tried[1].seconds) / 4])])
    return seconds.item()


def table(results, before):
    """The rows as markdown; results: {name: (way, steps, seconds, error)}."""
    rates = {name: way.batch * steps / seconds for name, (way, steps, seconds, _) in results.items()}
    first = next(iter(rates.values()))
    yield f"Error of the shipped base before: {before:.4f}. {models.hardware()}, torch {torch.__version__}.\n"
    yield "| way | steps | seconds | samples/s | times the first | error after |"
    yield "|---|---|---|---|---|---|"
    for name, (_, steps, seconds, error) in results.items():
        yield f"| {name} | {steps} | {seconds:.1f} | {rates[name]:.1f} | {rates[name] / first:.2f} | {error:.4f} |"


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seconds", type=float, default=60, help="training time of each row")
    options.add_argument("--only", default="", help="only rows whose name contains this")
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(pathlib.Path(folder), {n: way for n, way in WAYS.items() if args.only in n}, args.seconds)


def measure(files, ways, seconds):
    """Train all rows in turns and print the table."""
    learner = Learner()
    pool, unseen = compose(learner.parts, POOL, 0), compose(learner.parts, UNSEEN, 10**9)
    torch.save((pool, unseen), files / "scenes.pt")
    before = learner.error(unseen)
    rows = {name: (Pair if way.processes > 1 else Row)(way, files, seconds) for name, way in ways.items()}
    for turn in range(TURNS):
        for name in list(rows)[:: 1 if turn % 2 == 0 else -1]:
            rows[name].turn((turn + 1) / TURNS)
    results = {name: (ways[name], *row.result()) for name, row in rows.items()}
    print("\n".join(table(results, before)))


if __name__ == "__main__":
    main()
