"""Inside the U-Net: the output and cost of each block, and what the picture loses without it."""

from ..figures import block_bars, feature_maps
from ..figures.unet import time_embedding, without
from ..steps import GUIDANCE
from ..trace import ablate, profile, record
from .blocks import TIME, block_names, shape_words, short, skip_names
from .cache import Cache, networks
from .controls import choice, dragged, seeds, words
from .explore import Explore
from .hints import DType, Pipeline
from .images import said, small
from .messages import cut
from .recorded import RUNNING, Runs

__all__ = ["UNetInspector"]

OUTPUT, COSTS, WITHOUT = VIEWS = ["its output", "the cost of each block", "the picture without it"]
PICTURES = 32  # made without a block, that are stored
EDGE = 256  # pixels: the largest edge of a picture


class UNetInspector(Explore):
    """One recorded run, and three views of it.

    "its output": the feature map of a block or of a skip at a step; for the time embedding, all steps.
    "the cost of each block": shape, parameters, time, memory, measured once in seven calls of the U-Net.
    "the picture without it": the loop runs again, one U-Net call per step, with the block or skip set to zero.

    pipe: a StableDiffusionPipeline. prompt, seed, view, block, step: the controls' initial values; a block by
    its dotted name in the U-Net, such as "mid_block", or "skip.0" (made by conv_in), "skip.1", ...
    steps, guidance: of the loop. dtype: what the trace keeps, as for `record`; None is the model's own.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        steps: int = 10,
        guidance: float = GUIDANCE,
        view: str = OUTPUT,
        block: str = "mid_block",
        step: int = 1,
        dtype: DType | None = None,
    ) -> None:
        recorded = RecordedUNet(pipe, steps, guidance, dtype)
        super().__init__(
            recorded.draw,
            prompt=words(prompt, "Prompt"),
            seed=seeds(seed),
            view=choice(VIEWS, view, "Show"),
            block=choice([*recorded.blocks, *recorded.skips], block, "Block or skip"),
            step=dragged(step, 1, steps, "Step"),
        )


class RecordedUNet:
    """A pipeline's U-Net, its last run, and its measurements."""

    def __init__(self, pipe, steps, guidance, dtype=None):
        self.pipe = pipe
        self.blocks = block_names(pipe.unet)
        self.skips = skip_names(pipe.unet)
        names = ["unet", *(f"unet.{name}" for name in self.blocks)]
        self.runs = Runs(pipe, lambda: record(pipe, *names, dtype=dtype), steps, guidance)
        self._profile = Cache(1)
        self._without = Cache(PICTURES)

    def draw(self, prompt, seed, view, block, step):
        """Yield progress messages, and at the end the Picture."""
        run = yield from self.runs.ask(prompt, seed)
        if view == COSTS:
            yield "Measuring the U-Net"
            yield self.costs(run)
        elif view == WITHOUT:
            other = yield from self.ablated(prompt, seed, block)
            yield beside(run.image, other, block)
        else:
            yield output_picture(run, block, step - 1)
        yield cut(self.pipe.tokenizer, prompt)

    def costs(self, run):
        """Return bars of each block's cost, with the shapes of its output."""
        # measured once: neither the weights nor the prompt change the time
        measured = self._profile.get("profile", lambda: self.measure(run))
        shapes = {name: shape_words(run.trace.call(f"unet.{name}").output.shape[1:]) for name in self.blocks}
        rows = [row._replace(name=", ".join(filter(None, [short(row.name), shapes.get(row.name)]))) for row in measured.shares]
        batch = len(run.trace.call("unet").output)
        bars = block_bars(
            rows,
            f"The blocks of the U-Net and their outputs, for a batch of {batch}",
            f"Time: median of {measured.runs} runs, a line from the fastest to the slowest. "
            f"The trace of {len(run.timesteps)} steps holds {run.trace.nbytes / 1e6:.1f} MB.",
        )
        listed = [*(f"{name} {shape}" for name, shape in shapes.items()), *self.skip_shapes(run)]
        return said(f"Shapes: {'; '.join(listed)}.", bars)

    def skip_shapes(self, run):
        """Return the shape of each skip, in words."""
        return [f"{name} {shape_words(skip.shape[1:])}" for name, skip in zip(self.skips, skips(run.trace, 0))]

    def measure(self, run):
        """Return the profile of the U-Net, called as in the first step."""
        unet = self.pipe.unet
        given = {
            name: x.to(unet.device, unet.dtype) if hasattr(x, "is_floating_point") else x
            for name, x in run.trace.call("unet").inputs.items()
        }
        with RUNNING:
            return profile(unet, names=self.blocks, runs=3, **given)

    def ablated(self, prompt, seed, block):
        """Return the picture of a run without a block or skip, (3, H, W)."""
        return self._without.ask((prompt, seed, block), lambda: self.run_without(prompt, seed, block), *networks(self.pipe))

    def run_without(self, prompt, seed, block):
        """Run the loop without a block or skip; return its picture (3, H, W)."""
        run = yield from self.runs.within(ablate(self.pipe, f"unet.{block}"), prompt, seed)
        return run.image


def beside(image, other, block):
    """Return the pictures with and without a block as one Picture."""
    image, other = small(image, EDGE), small(other, EDGE)
    return without(image, other, block, scale=max(EDGE // image.shape[-1], 1))


def skips(trace, step):
    """Return the skips of a step, in the order in which they are made: conv_in's, then those of the down blocks."""
    down = [name for name in trace if name.startswith("unet.down_blocks.")]
    stored = [trace.call(name, step).outputs[1] for name in down]
    return [trace.call("unet.conv_in", step).output, *(skip for part in stored for skip in part)]


def output(trace, block, step):
    """Return the output of a block or skip at a step, for the prompt: (C, h, w), or (width,) for the time embedding."""
    if block.startswith("skip."):
        return skips(trace, step)[int(block.removeprefix("skip."))][-1]
    return trace.call(f"unet.{block}", step).output[-1]


def output_picture(run, block, step):
    """Return the output of a block or skip at a step, as a Picture."""
    if block == TIME:
        rows = [output(run.trace, block, i) for i in range(len(run.timesteps))]
        return time_embedding(rows, run.timesteps, step)
    name = f"{block} at step {step + 1} of {len(run.timesteps)}, t = {run.timesteps[step]}"
    return feature_maps(output(run.trace, block, step), name)
