"""One small notebook for every explorer, and what a person does with it."""

from typing import NamedTuple

import nbformat

LOAD = """from edu_diffusion import models, widgets
try:
    base
except NameError:
    base = models.load("base", "cpu")"""
CLIP = """from edu_diffusion.data import scenes
drawn = scenes.batch(12, seed=3, plain=True)
widgets.ClipExplorer(*models.load_clip(device="cpu"), drawn.captions, drawn.images)"""


class Case(NamedTuple):
    """An explorer in a notebook."""

    name: str
    code: str  # its last line shows the explorer
    dial: str | None  # the control whose latency is measured: each new value costs no run of the U-Net
    moves: tuple  # (name of a control, what is done to it): see `person.act`; each gives another picture
    alt: str  # a part of the picture's description at the beginning
    shown: tuple = ()  # what is done to it before it is photographed
    root: str = ".edu-explore"
    key: str = "up"  # what moves the dial


CASES = [
    Case("schedules", "widgets.ScheduleExplorer()", "Timestep t", (("Curves:", 1), ("Picture", 1)), "t = 300"),
    Case(
        "timeline",
        "widgets.TimelineExplorer(base, steps=16)",
        "Step",
        (("Second run:", 1), ("Other seed", "up"), ("Step", "up")),
        "Step 1 of 16",
    ),
    Case(
        "guidance",
        "widgets.GuidanceExplorer(base, steps=16, step=1)",
        "Step",
        (("Guidance", "up"), ("From timestep t", "up"), ("Negative prompt", "a dog")),
        "Guidance at step 1 of 16",
    ),
    Case(
        "latents",
        "widgets.LatentExplorer(base, steps=4)",
        "Add",
        (("Channel", "up"), ("Where", 1), ("Show", 1), ("Other picture", 3), ("Show", 2)),
        "channel 0",
    ),
    Case(
        "clip",
        CLIP,
        None,
        (("Show", 3), ("Word", "planet"), ("Show", 2), ("Picture", "up"), ("Caption", "a cat face"), ("Show", 1)),
        "10 captions and pictures (of 12)",
    ),
    Case(
        "unet",
        "widgets.UNetInspector(base, steps=16)",
        "Step",
        (("Block or skip", 2), ("Show", 1), ("Show", 2)),
        "mid_block at step 1 of 16",
    ),
    Case(
        "attention",
        "widgets.AttentionExplorer(base, steps=12)",
        "Step",
        (("Resolution", 1), ("Head", 1), ("All words on one scale", False), ("Prompt", "two blue dogs")),
        "mean of 12 steps",
        key="down",
    ),
    Case("first", "widgets.FirstPicture(base)", None, (("Prompt", "a fox on a pink background"),), "seed"),
    Case(
        "film",
        "from edu_diffusion.steps import generate\nwidgets.Film(base, generate(base, 'a ghost', steps=16))",
        "Step",
        (("Step", "up"),),
        "Step 1 of 16: left, the noisy x_t",
    ),
    Case("prompt", "widgets.PromptWidget(base, steps=3)", None, (("Seed", "up"), ("Prompt", "a red dog")), "Film"),
]


def notebook(path, *codes):
    """Write a notebook of code cells."""
    cells = [nbformat.v4.new_code_cell(code) for code in codes]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
