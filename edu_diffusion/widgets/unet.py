"""Inside the U-Net: the output and cost of each block, and what the picture loses without it."""

from ipywidgets import BoundedIntText, Dropdown, Layout, Text

from ..figures import block_bars, feature_maps
from ..figures.unet import time_embedding, without
from ..steps import GUIDANCE
from ..trace import ablate, modules, profile, record
from .explore import Explore
from .prompt import MOST_SEED, cut
from .recorded import RUNNING, Runs, said, small
from .timeline import dragged

__all__ = ["UNetInspector"]

GIVES, COSTS, WITHOUT = VIEWS = ["its output", "the cost of each block", "the picture without it"]
TIME = "time_embedding"


class UNetInspector(Explore):
    """One recorded run, and three views of it.

    "its output": the feature map of a block or of a skip at a step; for the time embedding, all steps.
    "the cost of each block": shape, parameters, time, memory, measured once in seven calls of the U-Net.
    "the picture without it": the loop runs again, one U-Net call per step, with the block or skip set to zero.

    pipe: a StableDiffusionPipeline. prompt, seed, view, block, step: the controls' initial values; a block by
    its dotted name in the U-Net, such as "mid_block", or "skip.0" (made by conv_in), "skip.1", ...
    steps, guidance: of the loop. dtype: what the trace keeps, as for `record`; None is the model's own.
    """

    def __init__(self, pipe, prompt="a cat face on a blue background", seed=0, steps=10, guidance=GUIDANCE,
                 view=GIVES, block="mid_block", step=1, dtype=None):
        inside, narrow = Inside(pipe, steps, guidance, dtype), Layout(width="130px")
        super().__init__(
            inside.draw,
            prompt=Text(prompt, description="Prompt", continuous_update=False, layout=Layout(width="440px")),
            seed=BoundedIntText(seed, min=0, max=MOST_SEED, description="Seed", layout=narrow),
            view=Dropdown(options=VIEWS, value=view, description="Show"),
            block=Dropdown(options=[*inside.blocks, *inside.skips], value=block, description="Block or skip"),
            step=dragged(step, 1, steps, "Step"))


class Inside:
    """A pipeline's U-Net, its last run, and its measurements."""

    def __init__(self, pipe, steps, guidance, dtype=None):
        self.pipe = pipe
        self.blocks = blocks(pipe.unet)
        self.skips = skip_names(pipe.unet)
        names = ["unet", *(f"unet.{name}" for name in self.blocks)]
        self.runs = Runs(pipe, lambda: record(pipe, *names, dtype=dtype), steps, guidance)
        self._profile = None

    def draw(self, prompt, seed, view, block, step):
        """Yield progress messages, and at the end the Picture."""
        run = yield from self.runs.ask(prompt, seed)
        if view == COSTS:
            yield "Measuring the U-Net"
            yield self.costs(run)
        elif view == WITHOUT:
            yield (yield from self.ablated(run, prompt, seed, block))
        else:
            yield gives(run, block, step - 1)
        yield cut(self.pipe.tokenizer, prompt)

    def costs(self, run):
        """Return bars of each block's cost, with the shapes of its output."""
        measured = self._profile = self._profile or self.measure(run)
        shapes = {name: by(run.trace.call(f"unet.{name}").output.shape[1:]) for name in self.blocks}
        rows = [row._replace(name=", ".join(filter(None, [short(row.name), shapes.get(row.name)])))
                for row in measured.shares]
        batch = len(run.trace.call("unet").output)
        bars = block_bars(rows, f"The blocks of the U-Net and their outputs, for a batch of {batch}",
                          f"Time: median of {measured.runs} runs, a line from the fastest to the slowest. "
                          f"The trace of {len(run.levels)} steps holds {run.trace.nbytes / 1e6:.1f} MB.")
        shapes = [*(f"{n} {s}" for n, s in shapes.items()), *self.skip_shapes(run)]
        return said(f"Shapes: {'; '.join(shapes)}.", bars)

    def skip_shapes(self, run):
        """Return the shape of each skip, in words."""
        return [f"{name} {by(skip.shape[1:])}" for name, skip in zip(self.skips, skips(run.trace, 0))]

    def measure(self, run):
        """Return the profile of the U-Net, called as in the first step. (Its time does not depend on the prompt.)"""
        unet = self.pipe.unet
        given = {name: x.to(unet.device, unet.dtype) if hasattr(x, "is_floating_point") else x
                 for name, x in run.trace.call("unet").inputs.items()}
        with RUNNING:
            return profile(unet, names=self.blocks, runs=3, **given)

    def ablated(self, run, prompt, seed, block):
        """Run the loop without a block or skip, unless that was done before; return both pictures as one Picture."""
        if block not in run.later:
            *_, run.later[block] = yield from self.runs.within(ablate(self.pipe, f"unet.{block}"), prompt, seed)
        image, other = small(run.image, 256), small(run.later[block], 256)
        return without(image, other, block, scale=max(256 // image.shape[-1], 1))


def blocks(unet):
    """Return the names of a U-Net's blocks in the order of their calls."""
    down, up = ([f"{way}_blocks.{i}" for i, _ in enumerate(getattr(unet, f"{way}_blocks"))]
                for way in ("down", "up"))
    found = modules(unet)
    return [name for name in (TIME, "conv_in", *down, "mid_block", *up, "conv_out") if name in found]


def skip_names(unet):
    """Return the names of a U-Net's skips: each ResNet block of the up blocks takes one."""
    return [f"skip.{i}" for i in range(sum(len(block.resnets) for block in unet.up_blocks))]


def skips(trace, step):
    """Return the skips of a step, in the order in which they are made: conv_in's, then those of the down blocks."""
    down = [name for name in trace if name.startswith("unet.down_blocks.")]
    kept = [trace.call(name, step).outputs[1] for name in down]
    return [trace.call("unet.conv_in", step).output, *(skip for part in kept for skip in part)]


def output(trace, block, step):
    """Return the output of a block or skip at a step, for the prompt: (C, h, w), or (width,) for the time embedding."""
    if block.startswith("skip."):
        return skips(trace, step)[int(block.removeprefix("skip."))][-1]
    return trace.call(f"unet.{block}", step).output[-1]


def gives(run, block, step):
    """Return the output of a block or skip at a step, as a Picture."""
    if block == TIME:
        rows = [output(run.trace, block, i) for i in range(len(run.levels))]
        return time_embedding(rows, run.levels, step)
    name = f"{block} at step {step + 1} of {len(run.levels)}, t = {run.levels[step]}"
    return feature_maps(output(run.trace, block, step), name)


def by(shape):
    """Return a shape in words: 64 x 16 x 16."""
    return " x ".join(map(str, shape))


def short(name):
    """Return a block's name as in steps.unet_forward: down.0 for down_blocks.0."""
    return name.replace("_blocks", "").replace("_block", "")
