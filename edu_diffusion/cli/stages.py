"""What is shipped, and how each part of it is trained: the stages of the command `release`.

A stage leaves <run>/model, with a card.json. After an interruption the same call resumes.
"""

import functools
import shutil
from typing import NamedTuple

from edu_diffusion.data import files

from . import runs
from .shipped import base_sha256, card, read


class Stage(NamedTuple):
    """How a checkpoint is trained. more: further settings of its recipe."""

    recipe: str
    steps: int
    lr: float
    batch: int
    more: dict = {}


# Limited by steps and not by minutes, so that the result does not depend on the machine's speed.
STAGES = {
    "judge": Stage("judge", 2500, 2e-3, 64, {"start": "judge", "seed": 21}),  # earlier runs used the scenes of lower seeds
    "clip": Stage("clip", 1500, 1e-3, 128, {"start": "clip", "seed": 22}),
    # more scenes with several objects, and more captions without a concept, than the world's own; their meaning does not change
    "base": Stage("latent", 12_000, 7e-4, 64, {"seed": 22, "many": 0.3, "unnamed": 0.25}),
    "canny": Stage("control", 2000, 1e-3, 16, {"kind": "canny"}),
    "segmentation": Stage("control", 2000, 1e-3, 16, {"kind": "segmentation"}),
    "lora": Stage("lora", 2400, 1.5e-3, 16),
    "inversion": Stage("inversion", 300, 1e-2, 16),
    "few_steps": Stage("few_steps", 2800, 1.5e-3, 32),
    "compare": Stage("", 0, 0, 0),  # the table of all methods, limited by seconds: it compares them at equal training time
}
LONGEST = 6000  # steps of one training run of the base: at most 100 minutes on two cores; each run saves a complete pipeline
# the second run of few_steps, on other trajectories: the first one remembers its own
FRESH = {"steps": 900, "lr": 1e-3, "pool": 160, "seed": 2}
# trained on top of the base: a new base makes them outdated
ON_BASE = ("canny", "segmentation", "lora", "inversion", "few_steps", "compare")


def train(name, run, steps, device=None, processes=1):
    """Train a stage by its recipe; it leaves <run>/model with a card.json. processes: for the base, see train/processes.py."""
    stage = STAGES[name]
    settings = {"lr": stage.lr, "batch": stage.batch, "device": device} | stage.more
    if name in ON_BASE:
        on_this_base(run)
    if name == "base":
        return train_base(run, steps, processes=processes, **settings)
    if name == "few_steps":
        return train_few_steps(run, steps, **settings)
    train_one(stage.recipe, run, steps, **settings)
    if name == "clip":
        flatten(run / "model")
    facts = files.card_of(run / "model")
    if set(facts) <= {"sha256"}:  # a recipe that leaves no facts of its own
        files.write_json(run / "model" / "card.json", {"seed": settings.get("seed", 0)} | how_long([run]) | facts)


def train_one(recipe, run, steps, processes=1, **settings):
    """Run a recipe to its end and show its progress; a finished run is not repeated."""
    from edu_diffusion.train import RECIPES
    from edu_diffusion.train.processes import several

    begin = RECIPES[recipe] if processes == 1 else functools.partial(several, recipe, processes)
    if (run / "model").is_dir() and how_long([run])["steps"] >= steps:
        return
    runs.follow(begin(minutes=None, steps=steps, run=run, **settings))


def train_base(run, steps, seed, processes=1, **settings):
    """Train the base in runs of at most LONGEST steps, each with new scenes and starting from the previous run's model."""
    model, folders = second_edition("base", run / "start"), []
    for i, n in enumerate(pieces(steps)):
        folders.append(run / str(i + 1))
        train_one("latent", folders[-1], n, processes, start=model, seed=seed + i, **settings)
        model = folders[-1] / "model"
    together = {f"latent_{key}": value for key, value in how_long(folders).items()} | {"latent_runs": len(folders)}
    gather(model, run / "model", of_the_past(run / "start") | card(model) | together)


def train_few_steps(run, steps, **settings):
    """Train on one pool of trajectories, then go on from there with new ones."""
    first, second = run / "1", run / "2"
    train_one("few_steps", first, steps, **settings)
    fresh = settings | FRESH | {"start": first / "model"}
    train_one("few_steps", second, min(steps, fresh.pop("steps")), **fresh)
    together = {f"first_{key}": value for key, value in how_long([first]).items()}
    gather(second / "model", run / "model", card(second / "model") | together)


def pieces(steps):
    """Split a number of steps into runs of at most LONGEST each: 12,000 is [6000, 6000]."""
    return [min(LONGEST, steps - done) for done in range(0, steps, LONGEST)]


def second_edition(start, out):
    """A folder with the pipeline `start`, its vocabulary and prompt length extended to today's captions, for the recipe latent.

    A tokenizer with shorter prompts, and the text encoder that reads them, get more tokens and positions; nothing else
    changes. An existing folder is not rebuilt. Returns `out`.
    """
    from edu_diffusion import models
    from edu_diffusion.models import vocabulary
    from edu_diffusion.train.clip import VOCABULARY, corpus

    if out.is_dir():
        return out
    pipe = models.load(start, "cpu")
    tokenizer, encoder = pipe.tokenizer, pipe.text_encoder
    if encoder.config.max_position_embeddings < models.TOKENS:
        tokenizer = vocabulary.grow_tokenizer(pipe.tokenizer, corpus(), VOCABULARY)
        vocabulary.grow_text_model(encoder, pipe.tokenizer, tokenizer)
    models.save(models.assemble(pipe.vae, encoder, tokenizer, pipe.unet, pipe.scheduler), out, card(models.path_of(start)))
    return out


def of_the_past(start):
    """Facts that stay true when only the U-Net trains further: how the other parts, and the U-Net so far, were trained."""
    old = card(start)
    stay = {key: value for key, value in old.items() if key.startswith(("vae_", "clip_", "decoder_"))}
    return stay | {f"earlier_{key}": old[key] for key in ("latent_steps", "latent_minutes") if key in old}


def gather(model, target, facts):
    """Copy a run's pipeline to where it is evaluated, unless it is there already: an evaluation beside it is kept."""
    if not target.is_dir() or files.checksums(target) != files.checksums(model):
        with files.staged(target, facts) as stage:
            shutil.copytree(model, stage, dirs_exist_ok=True)


def flatten(model):
    """Put a CLIP's tokenizer beside its weights, as in the shipped checkpoint, and add the older file formats for other tools."""
    from tokenizers import Tokenizer

    if (model / "clip").is_dir():
        with files.staged(model) as stage:
            for part in ("clip", "tokenizer"):
                shutil.copytree(model / part, stage, dirs_exist_ok=True)
            Tokenizer.from_file(str(stage / "tokenizer.json")).model.save(str(stage))


def how_long(folders):
    """{"steps": ..., "minutes": ...} of several training runs together."""
    from edu_diffusion.train.state import about

    every = [about(run) for run in folders]
    return {key: round(sum(one[key] for one in every), 1) for key in ("steps", "minutes")}


def on_this_base(run):
    """Record in a run folder which base it trains on; a run that started on another base is set aside."""
    path, now = run / "base.json", {"base_sha256": base_sha256()}
    if path.is_file() and read(path) != now:
        print(f"  the base has changed since then: the earlier training run is now in {runs.set_aside(run)}")
    run.mkdir(parents=True, exist_ok=True)
    files.write_json(path, now)
