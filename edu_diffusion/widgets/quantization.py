"""Quantization: a format, and what stays in full precision; the image, the bytes, and where the outputs change."""

import copy
from collections.abc import Callable
from typing import Any

from ..figures import adapted
from ..steps import FORMATS, GUIDANCE, decode, generate
from ..steps.quantize import dequantize_weight, quantize_weight
from ..trace import Trace, record
from .blocks import block_names, changes, short
from .cache import Cache, networks
from .cached_runs import StandIn
from .controls import choice, seeds, words
from .explore import Explore
from .hints import Drawing, Messages, Module, Pipeline, Tensor
from .images import small
from .messages import cut
from .progress import all_states

__all__ = ["QuantizationExplorer", "rounded"]

EDGE = 256  # pixels: the largest edge of a picture
FULL = "float32"
KEPT: dict[str, Callable[[str, Module], bool]] = {
    "nothing": lambda name, layer: False,
    "conv_in and conv_out": lambda name, layer: name in ("conv_in", "conv_out"),
    "the middle block": lambda name, layer: name.startswith("mid_block."),
    "all convolutions": lambda name, layer: layer.weight.ndim == 4,
    "all linear layers": lambda name, layer: layer.weight.ndim == 2,
}


class QuantizationExplorer(Explore):
    """A choice of the format and of the layers that keep full precision: the image beside that of the unchanged U-Net.

    pipe: a StableDiffusionPipeline; it is not changed. format: a name in steps.FORMATS. keep: a key of KEPT. The bars
    show the relative change of each block's output at the first step, where both runs have the same input. Bytes are
    those of the file, where all that is not packed is in half precision.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        format: str = "nf4",
        keep: str = "nothing",
        steps: int = 12,
        guidance: float = GUIDANCE,
    ) -> None:
        self.pipe = pipe
        self._settings: dict[str, Any] = {"steps": steps, "guidance": guidance}
        self._full, self._rounded = Cache(1), Cache(2)
        super().__init__(
            self.compare,
            prompt=words(prompt, "Prompt"),
            seed=seeds(seed),
            format=choice(FORMATS, format, "Format"),
            keep=choice(KEPT, keep, "In full precision:"),
        )

    def compare(self, prompt: str, seed: int, format: str, keep: str) -> Drawing:
        """Yield progress messages, then both images and the bars as a Picture."""
        before, trace = yield from self._full.ask(
            (prompt, seed), lambda: self.run(self.pipe.unet, prompt, seed), *networks(self.pipe)
        )
        unet, sizes = self._rounded.get((format, keep), lambda: rounded(self.pipe.unet, format, KEPT[keep]), self.pipe.unet)
        after, changed = yield from self.run(unet, prompt, seed)
        moved = changes(trace, changed)
        moved = {name: moved[name] for name in block_names(unet)}
        full = sum(weight.nbytes for weight in self.pipe.unet.parameters())
        yield adapted(
            small(before, EDGE),
            small(after, EDGE),
            (f"unchanged, {megabytes(full)}", f"{format}, {megabytes(sum(sizes.values()))}"),
            [short(name) for name in moved],
            list(moved.values()),
            max(EDGE // before.shape[-1], 1),
        )
        told = ", ".join(f"{name} {megabytes(size)}" for name, size in sizes.items())
        yield f"The file: {told}. {cut(self.pipe.tokenizer, prompt)}".strip()

    def run(self, unet: Module, prompt: str, seed: int) -> Messages[tuple[Tensor, Trace]]:
        """Run with a U-Net: return the image (3, H, W), and the trace of all blocks at the first step."""
        pipe = StandIn(self.pipe, unet=unet)
        with record(unet, *block_names(unet), at=0, inputs=False) as trace:
            states = yield from all_states(generate(pipe, prompt, seed=seed, **self._settings), self._settings["steps"])
        return decode(pipe, states[-1].z_s)[0].float().cpu(), trace


def rounded(unet: Module, format: str, kept: Callable[[str, Module], bool]) -> tuple[Module, dict[str, int]]:
    """A copy of a U-Net with the weights that a format gives back, and the bytes of its file: codes, scales, what is kept.

    kept: a function (name, layer) that says which linear layers and convolutions stay as they are.
    """
    unet, sizes = copy.deepcopy(unet), {"codes": 0, "scales": 0, "kept": 0}
    for name, layer in unet.named_modules():
        if type(layer).__name__ in ("Linear", "Conv2d") and not kept(name, layer):
            packed = quantize_weight(layer.weight, format)
            layer.weight.data = dequantize_weight(packed).to(layer.weight.dtype)
            sizes = {**sizes, "codes": sizes["codes"] + packed.codes.nbytes, "scales": sizes["scales"] + packed.scales.nbytes}
            sizes["kept"] -= 2 * layer.weight.numel()
    sizes["kept"] += 2 * sum(weight.numel() for weight in unet.parameters())
    return unet, sizes


def megabytes(n: int) -> str:
    """A number of bytes in words."""
    return f"{n / 1e6:.2f} MB"
