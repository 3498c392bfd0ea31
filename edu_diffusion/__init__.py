"""edu_diffusion: the whole Stable Diffusion stack, small enough to train on a laptop.

Where things are, from the readable to the practical:

    steps/        the mathematics: short functions on torch tensors, each proven equal to the library's own
    data/         captioned emoji scenes, made on demand; pictures from outside
    models/       tiny configurations of diffusers and transformers classes; load, save
    train/        one recipe a file, each a generator that yields its progress
    judge/        numbers: did the model draw what was asked?
    figures/      tensors in, matplotlib figures out
    widgets/      controls plus a figure, for the lessons
    checks/       the exercises: right answers, known wrong ones, a hint for each
    trace/        look at every tensor of a run, from outside
    cli.py        python3 -m edu_diffusion: lab, test, generate, train, judge, export, doctor

Importing this package takes milliseconds; the heavy libraries are imported where they are used.
This file, errors.py and __main__.py also parse on an old Python, which then gets a sentence, not a traceback.
"""

import os

__version__ = "0.1.0"

# Nothing here needs the network: without these a missing file means minutes of retries, and use is reported.
for _name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_name, "1")
# Lines about optional packages would greet a learner; what matters (missing weights, cut prompts) we say.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
