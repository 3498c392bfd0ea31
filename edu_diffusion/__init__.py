"""edu_diffusion: the whole Stable Diffusion stack, small enough to train on a laptop.

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

Importing this package takes milliseconds; the heavy libraries are imported where they are used.
This file, errors.py and __main__.py also parse on an old Python, so that it prints a message instead of a traceback.
"""

import os

__version__ = "0.1.0"

# Nothing here needs the network: without these, a missing file means minutes of retries, and usage is reported.
for _name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "1")
# Otherwise learners are greeted by notes on optional packages; we report what matters (missing weights, truncated prompts).
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
