"""Recipe `lora`: a new drawing style in a minute, as low-rank matrices beside the weights (Hu et al. 2022).

The U-Net's own weights are frozen. Beside every linear layer and every convolution of its blocks a pair of low-rank
matrices is trained, see steps/lora.py; peft inserts them. Large models are often adapted in the attention layers alone;
here the convolutions matter too, since a drawing style is a matter of lines (the model card compares both).
The file format is the library's: `pipe.load_lora_weights(folder)`.
"""

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Iterator

import torch

from ..data import files, newstyle, scenes, words
from ..errors import EduError
from .frozen import Frozen, adapt, trained
from .loop import Progress, generator
from .losses import drop_captions, sample_timesteps
from .recipe import recipe
from .state import about

WHERE = {"attention": ("Linear",), "all": ("Linear", "Conv2d")}
BLOCKS = ("down_blocks.", "mid_block.", "up_blocks.")


@recipe
def train_lora(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    model: str | os.PathLike = "base",
    rank: int = 8,
    alpha: float | None = None,
    style: str = words.NEW_STYLE,
    where: str = "all",
    batch: int = 16,
    lr: float = 6e-3,
    examples: Callable | None = None,
    noisy: int = 3,
) -> Iterator[Progress]:
    """Train a LoRA on a style. Yields Progress; its model is the pipeline with the LoRA in it.

    rank: of the matrices; alpha: their scale, None: the rank. style: of the training scenes; a caption
    that ends with ", contrast style" asks for it. where: one of WHERE. examples: a function (n, seed) of your
    own that returns something with .images, (n, 3, 64, 64) in [-1, 1], and .captions, instead of scenes in
    the style. noisy: how far to favour noisy timesteps, which decide what an image shows: 1 is uniform, see noisier().
    The finished run holds <run>/model/pytorch_lora_weights.safetensors, in half precision.
    """
    checked(rank, style, where, noisy)
    base = Frozen(model, device)
    unet = with_lora(base.pipe.unet, rank, alpha or rank, where, seed)
    examples = examples or (lambda n, seed: newstyle.batch(n, seed, style))
    levels = functools.partial(sample_timesteps, k=noisy)

    def loss(step):
        seen, rng = examples(batch, seed * 1_000_003 + step), generator(seed, step)
        return base.loss(seen.images, drop_captions(seen.captions, rng), rng, levels)

    yield from adapt(base, unet, loss, minutes=minutes, steps=steps, lr=lr, ema=0.98, warmup=10, run=run)
    if run is not None:
        facts = {"style": style, "rank": rank, "alpha": alpha or rank, "where": where, "seed": seed, "lr": lr, "noisy": noisy}
        save_lora(base.pipe, pathlib.Path(run) / "model", facts | {"trained": trained(unet)} | about(run))


def checked(rank, style, where, noisy):
    """Raise EduError for invalid settings."""
    if style not in scenes.ALL_STYLES or where not in WHERE or not min(rank, noisy) >= 1:
        raise EduError(
            f"rank is {rank!r}, noisy {noisy!r}, style {style!r}, where {where!r}; rank and noisy must be "
            f"at least 1, style one of {', '.join(scenes.ALL_STYLES)}, where one of {', '.join(WHERE)}."
        )


def with_lora(unet, rank, alpha, where="all", seed=0):
    """Insert low-rank matrices beside the layers of a U-Net, in place; only they are trainable, and they change nothing yet."""
    from peft import LoraConfig

    torch.manual_seed(seed)
    unet.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, init_lora_weights="gaussian", target_modules=layers(unet, where)))
    return unet


@contextlib.contextmanager
def without_lora(unet: torch.nn.Module) -> Iterator[None]:
    """The U-Net as it was before with_lora, inside the block."""
    unet.disable_adapters()
    try:
        yield
    finally:
        unet.enable_adapters()


def layers(unet, where="all"):
    """Names of the layers that get low-rank matrices: those of the attention blocks, or all in the blocks."""
    return [
        name
        for name, part in unet.named_modules()
        if name.startswith(BLOCKS) and type(part).__name__ in WHERE[where] and (where == "all" or ".attentions." in name)
    ]


def save_lora(pipe, target, card=None):
    """Write the adapter "default" of a pipeline in the format of vanilla diffusers, and card.json."""
    from peft import get_peft_model_state_dict

    half = {name: w.detach().cpu().half().contiguous() for name, w in get_peft_model_state_dict(pipe.unet).items()}
    facts = pipe.unet.peft_config["default"].to_dict()
    facts["target_modules"] = sorted(facts["target_modules"])
    with files.staged(target, card) as stage:
        pipe.save_lora_weights(stage, unet_lora_layers=half, unet_lora_adapter_metadata=facts)
