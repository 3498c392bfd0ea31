"""The blocks and skips of a U-Net: their names, and words for them."""

from collections.abc import Iterable

from ..trace import modules
from .hints import Module

__all__ = ["TIME", "block_names", "changes", "down_and_up", "shape_words", "short", "skip_names"]

TIME = "time_embedding"


def block_names(unet: Module) -> list[str]:
    """Return the names of a U-Net's blocks in the order of their calls."""
    down, up = down_and_up(unet)
    found = modules(unet)
    return [name for name in (TIME, "conv_in", *down, "mid_block", *up, "conv_out") if name in found]


def down_and_up(unet: Module) -> tuple[list[str], ...]:
    """Return the names of the down blocks and of the up blocks."""
    return tuple([f"{way}_blocks.{i}" for i, _ in enumerate(getattr(unet, f"{way}_blocks"))] for way in ("down", "up"))


def skip_names(unet: Module) -> list[str]:
    """Return the names of a U-Net's skips: each ResNet block of the up blocks takes one."""
    return [f"skip.{i}" for i in range(sum(len(block.resnets) for block in unet.up_blocks))]


def short(name: str) -> str:
    """Return a block's name as in steps.unet_forward: down.0 for down_blocks.0."""
    return name.replace("_blocks", "").replace("_block", "")


def shape_words(shape: Iterable[int]) -> str:
    """Return a shape in words: 64 x 16 x 16."""
    return " x ".join(map(str, shape))


def changes(before, after):
    """Return the relative change ||after - before|| / ||before|| of every block's output in its first call.

    before, after: Traces of the same blocks. Returns {name: change}: down, mid, up.
    """
    pairs = {n: (before.call(n).output.float(), after.call(n).output.float()) for n in sorted(before)}
    return {name: ((b - a).norm() / a.norm()).item() for name, (a, b) in pairs.items()}
