"""What is shipped, and how each part of it is trained: the stages of the verb `release`.

A stage leaves <run>/model, with a card.json. Killed at any moment, the same call goes on.
"""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

from edu_diffusion.data import files


class Stage(NamedTuple):
    """How a checkpoint is trained. more: further settings of its recipe."""

    recipe: str
    steps: int
    lr: float
    batch: int
    more: dict = {}


# Bounded by steps and not by minutes, so that a slow machine learns as long as a quick one.
STAGES = {
    "judge": Stage("judge", 2500, 2e-3, 64, {"start": "judge", "seed": 21}),  # lower seeds: the scenes of earlier runs
    "clip": Stage("clip", 1500, 1e-3, 128, {"start": "clip", "seed": 22}),
    "base": Stage("latent", 12_000, 7e-4, 64, {"seed": 22}),
    "canny": Stage("control", 2000, 1e-3, 16, {"kind": "canny"}),
    "segmentation": Stage("control", 2000, 1e-3, 16, {"kind": "segmentation"}),
    "lora": Stage("lora", 1000, 3e-3, 16),
    "inversion": Stage("inversion", 300, 1e-2, 16),
    "compare": Stage("", 0, 0, 0),  # the table of all methods, bounded by seconds: it compares what equal time gives
}
LONGEST = 6000  # steps of one run of the base: at most 100 minutes on two cores; each run ends in a whole pipeline
ON_BASE = ("canny", "segmentation", "lora", "inversion", "compare")  # trained on the base: a new base makes them stale


def train(name, run, steps, device=None):
    """Train a stage by its recipe; it leaves <run>/model with a card.json."""
    stage = STAGES[name]
    settings = {"lr": stage.lr, "batch": stage.batch, "device": device} | stage.more
    if name in ON_BASE:
        on_this_base(run)
    if name == "base":
        return train_base(run, steps, **settings)
    train_one(stage.recipe, run, steps, **settings)
    if name == "clip":
        flatten(run / "model")
    if not (run / "model" / "card.json").is_file():
        files.write_json(run / "model" / "card.json", {"seed": settings.get("seed", 0)} | how_long([run]))


def train_one(recipe, run, steps, **settings):
    """Run a recipe to its end and show how it goes; a run that is over is left alone."""
    from edu_diffusion.progress import Bar
    from edu_diffusion.train import RECIPES
    if (run / "model").is_dir() and how_long([run])["steps"] >= steps:
        return
    bar = Bar()
    try:
        for progress in RECIPES[recipe](minutes=None, steps=steps, run=run, **settings):
            bar(progress)
    finally:
        bar.close()


def train_base(run, steps, seed, **settings):
    """The base in runs of at most LONGEST steps, each with new scenes and from the model that the one before left."""
    model, folders = second_edition("base", run / "start"), []
    for i, n in enumerate(pieces(steps)):
        folders.append(run / str(i + 1))
        train_one("latent", folders[-1], n, start=model, seed=seed + i, **settings)
        model = folders[-1] / "model"
    together = {f"latent_{key}": value for key, value in how_long(folders).items()} | {"latent_runs": len(folders)}
    gather(model, run / "model", of_the_past(run / "start") | card(model) | together)


def pieces(steps):
    """A number of steps as a list of at most LONGEST each: 12,000 is [6000, 6000]."""
    return [min(LONGEST, steps - done) for done in range(0, steps, LONGEST)]


def second_edition(start, out):
    """A folder with the pipeline `start` that reads as many words as captions have by now: what the recipe latent goes on from.

    A tokenizer of shorter prompts, and the text encoder behind it, get more words and positions; all else stays. What is
    there already is not made again. Returns `out`.
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
    models.save(models.assemble(pipe.vae, encoder, tokenizer, pipe.unet, pipe.scheduler), out, card(models.locate(start)))
    return out


def of_the_past(start):
    """What a card goes on saying when only the U-Net learns: how the other parts were made, and how long the U-Net before."""
    old = card(start)
    stay = {key: value for key, value in old.items() if key.startswith(("vae_", "clip_", "decoder_"))}
    return stay | {f"earlier_{key}": old[key] for key in ("latent_steps", "latent_minutes") if key in old}


def gather(model, target, facts):
    """Copy a run's pipeline to where it is judged, unless it is there: a judgement beside it stays."""
    if not target.is_dir() or files.checksums(target) != files.checksums(model):
        with files.artefact(target, facts) as stage:
            shutil.copytree(model, stage, dirs_exist_ok=True)


def flatten(model):
    """Put a CLIP's tokenizer beside its weights, as the shipped one lies, with the older files for other tools as well."""
    from tokenizers import Tokenizer
    if (model / "clip").is_dir():
        with files.staged(model) as stage:
            for part in ("clip", "tokenizer"):
                shutil.copytree(model / part, stage, dirs_exist_ok=True)
            Tokenizer.from_file(str(stage / "tokenizer.json")).model.save(str(stage))


def how_long(runs):
    """{"steps": ..., "minutes": ...} of several run folders together."""
    from edu_diffusion.train.loop import about
    every = [about(run) for run in runs]
    return {key: round(sum(one[key] for one in every), 1) for key in ("steps", "minutes")}


def on_this_base(run):
    """Note in a run folder on which base it learns; one that began on another base is set aside."""
    from edu_diffusion import training
    path, now = run / "base.json", {"base_sha256": base_sha256()}
    if path.is_file() and read(path) != now:
        print(f"  the base has changed since: the earlier training is now in {training.set_aside(run)}")
    run.mkdir(parents=True, exist_ok=True)
    files.write_json(path, now)


# ---------------------------------------------------------------- what is shipped

def stale(name):
    """Whether a shipped adapter was trained on another base than the shipped one, or nobody noted on which."""
    return card(shipped(name)).get("base_sha256") != base_sha256()


def base_sha256():
    """The shipped base, by the checksum of its U-Net's weights."""
    return files.sha256(shipped("base") / "unet" / "diffusion_pytorch_model.safetensors")


def shipped(name):
    """Where a checkpoint lies."""
    return files.PACKAGE / "checkpoints" / name


def card(folder):
    """See adapters.card."""
    from edu_diffusion import adapters
    return adapters.card(folder)


def read(path):
    """What a JSON file holds."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
