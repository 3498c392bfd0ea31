"""Attention maps: where the picture attends to each word of the prompt, by step, resolution and head."""

from ..figures import attention_overlay
from ..steps import GUIDANCE
from ..trace import by_word, cross_attention, heat_maps, modules, record_attention
from ..trace import words as word_spans
from .controls import choice, seeds, ticked, words
from .explore import Explore
from .hints import DType, Pipeline
from .images import small
from .messages import cut
from .recorded import Runs

__all__ = ["AttentionExplorer"]

ALL = -1


class AttentionExplorer(Explore):
    """One run whose q and k are recorded; every map is computed from them, without running the U-Net again.

    Steps, resolutions and heads can be shown one by one, or as their mean. The attention weights of all tokens add up
    to 1 at every position of the picture; the start token, hidden by default, often has most of them.

    pipe: a StableDiffusionPipeline. prompt, seed: the controls' initial values. steps, guidance: of the sampling loop.
    dtype: what the trace keeps, as for `record_attention`; None is the model's own.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        steps: int = 10,
        guidance: float = GUIDANCE,
        dtype: DType | None = None,
    ) -> None:
        recorded = RecordedAttention(pipe, steps, guidance, dtype)
        each_step = [("mean of all", ALL), *((str(i + 1), i) for i in range(steps))]
        resolutions = [("all", ALL), *((f"{h} x {w}", i) for i, (h, w) in enumerate(recorded.layers))]
        heads = [("mean of all", ALL), *((str(i), i) for i in range(recorded.heads))]
        super().__init__(
            recorded.draw,
            prompt=words(prompt, "Prompt"),
            seed=seeds(seed),
            step=choice(each_step, ALL, "Step"),
            resolution=choice(resolutions, ALL, "Resolution"),
            head=choice(heads, ALL, "Head"),
            ends=ticked(False, "Include start and end tokens"),
            shared=ticked(True, "All words on one scale"),
        )


class RecordedAttention:
    """A pipeline's cross-attentions, by resolution, and its last run."""

    def __init__(self, pipe, steps, guidance, dtype=None):
        self.pipe = pipe
        self.layers = layers(pipe)
        found, names = modules(pipe), sum(self.layers.values(), [])
        self.heads = max((found[name].heads for name in names), default=0)
        self.runs = Runs(pipe, lambda: record_attention(pipe, dtype=dtype), steps, guidance)

    def draw(self, prompt, seed, step, resolution, head, ends, shared):
        """Yield progress messages, and at the end the Picture."""
        run = yield from self.runs.ask(prompt, seed)
        image = small(run.image, 128)
        spans, heats = self.heats(run, prompt, tuple(image.shape[1:]), step, resolution, head)
        shown = range(len(spans)) if ends or len(spans) == 2 else range(1, len(spans) - 1)
        yield attention_overlay(
            image,
            heats[list(shown)],
            [spans[i][0] for i in shown],
            shared,
            max(128 // image.shape[-1], 1),
            self.title(run, step, resolution, head),
        )
        yield cut(self.pipe.tokenizer, prompt)

    def heats(self, run, prompt, size, step, resolution, head):
        """Return the words with their tokens, and the prompt's map for each: (words, H, W)."""
        spans = word_spans(self.pipe.tokenizer, self.pipe.maybe_convert_prompt(prompt, self.pipe.tokenizer))
        names = None if resolution == ALL else list(self.layers.values())[resolution]
        maps = heat_maps(run.trace, size, names=names, calls=None if step == ALL else step, head=None if head == ALL else head)
        return spans, by_word(maps, spans)[-1]

    def title(self, run, step, resolution, head):
        """Say which maps are shown."""
        grids = [f"{h} x {w}" for h, w in self.layers]
        when = (
            f"the mean of {len(run.timesteps)} steps"
            if step == ALL
            else (f"step {step + 1} of {len(run.timesteps)}, t = {run.timesteps[step]}")
        )
        where = " and ".join(grids) if resolution == ALL else grids[resolution]
        return f"Attention at {when}, {where}, {'all heads' if head == ALL else f'head {head}'}."


def layers(pipe):
    """Return {(h, w): names of the cross-attentions at this resolution}, the finest first."""
    sizes, found = grids(pipe.unet), {}
    for name in cross_attention(pipe):
        size = next((size for block, size in sizes.items() if name.startswith(block)), None)
        if size:
            found.setdefault(size, []).append(name)
    return dict(sorted(found.items(), reverse=True))


def grids(unet):
    """Return {prefix of a block's names: (h, w)}: each downsampler halves, and the up blocks mirror the down blocks."""
    size = unet.config.sample_size
    found = {}
    last = len(unet.down_blocks) - 1
    h, w = (size, size) if isinstance(size, int) else size
    for i, block in enumerate(unet.down_blocks):
        found[f"unet.down_blocks.{i}."] = found[f"unet.up_blocks.{last - i}."] = h, w
        if block.downsamplers:
            h, w = -(-h // 2), -(-w // 2)
    return {**found, "unet.mid_block.": (h, w)}
