"""edu_diffusion: the whole Stable Diffusion stack, small enough to train on a laptop.

    import edu_diffusion as ed
    pipe = ed.load("base")                                      # a StableDiffusionPipeline
    images = ed.draw(pipe, ["a cat", "a big dog"], seed=0)      # (2, 3, 64, 64) in [-1, 1]
    for state in ed.generate(pipe, "a cat"):                    # the same, step by step
        ...

Where things are, from the readable to the practical:

    steps/        the mathematics: short functions on torch tensors, each tested against the library's own
    data/         captioned emoji scenes, generated on demand; reading your own pictures
    models/       tiny configurations of diffusers and transformers classes: build, load, save
    train/        one training recipe per file, each a generator that yields its progress
    metrics/      evaluation: does an image match its prompt, how varied are the images, how good; judge.py is the classifier
    compare/      every way of teaching the model something new, side by side
    figures/      tensors in, matplotlib figures out
    widgets/      controls plus a figure, for the lessons
    exercises/    the exercises: reference solutions, known mistakes, a hint for each
    trace/        record every tensor of a run from outside the model
    install/      the first start: the environment, the build of torch, pip
    cli/          python3 -m edu_diffusion VERB: one file for each verb

Importing this package takes milliseconds and changes nothing in the process: what is named below, and the folders above, are
imported when they are first used. This file, errors.py and __main__.py also parse on an old Python, so that it prints a
message instead of a traceback.
"""

import importlib

from . import errors

__version__ = "0.1.0"

ROOMS = ("steps", "data", "models", "train", "metrics", "compare", "figures", "widgets", "exercises", "trace")

# The public face: name -> where it is defined.
FACE = {
    "load": "models",
    "load_lora": "models",
    "load_control": "models",
    "load_clip": "models",
    "load_hyper": "models",
    "draw": "steps",
    "generate": "steps",
    "encode": "steps",
    "decode": "steps",
    "embed": "steps",
    "record": "trace",
    "check": "exercises",
    "verdict": "exercises",
    "use": "exercises",
    "arrange": "exercises",
    "watch": "widgets",
    "own_run": "cli.own_run",
    "wall": "cli.wall",
    "train_base": "train.base",
    "train_clip": "train.clip",
    "train_control": "train.control",
    "train_ddpm": "train.ddpm",
    "train_dreambooth": "train.dreambooth",
    "train_finetune": "train.finetune",
    "train_hyper": "train.hypernetwork",
    "train_inversion": "train.inversion",
    "train_judge": "train.judge",
    "train_latent": "train.latent",
    "train_lenet": "train.lenet",
    "train_few_steps": "train.few_steps",
    "train_lora": "train.lora",
    "train_vae": "train.vae",
    "AttentionExplorer": "widgets",
    "ClipExplorer": "widgets",
    "ConceptTest": "widgets",
    "ControlExplorer": "widgets",
    "EditExplorer": "widgets",
    "Explore": "widgets",
    "FewStepsExplorer": "widgets",
    "Film": "widgets",
    "FirstPicture": "widgets",
    "GuidanceExplorer": "widgets",
    "LatentExplorer": "widgets",
    "LoraExplorer": "widgets",
    "MemoryExplorer": "widgets",
    "MergeExplorer": "widgets",
    "Pad": "widgets",
    "PipelineMap": "widgets",
    "PromptWidget": "widgets",
    "QuantizationExplorer": "widgets",
    "ScheduleExplorer": "widgets",
    "SideBySide": "widgets",
    "TimelineExplorer": "widgets",
    "UNetInspector": "widgets",
}

PROMPTED = ("draw", "generate", "embed")  # for a school class these check their prompts, see data/school.py

__all__ = ["__version__"] + sorted(FACE) + list(ROOMS)


def _reader(code):
    return importlib.import_module(".cli.languages", __name__).read(code)


errors.reader = _reader  # the sentences of another language are read when the first one is said


def __getattr__(name):
    if name in FACE:
        found = getattr(importlib.import_module("." + FACE[name], __name__), name)
        return importlib.import_module(".data.school", __name__).guarded(found) if name in PROMPTED else found
    if name in ROOMS:
        return importlib.import_module("." + name, __name__)
    raise AttributeError("edu_diffusion has no %r; it has %s" % (name, ", ".join(__all__)))


def __dir__():
    return sorted(set(globals()) | set(__all__))
