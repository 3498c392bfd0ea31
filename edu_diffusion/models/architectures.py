"""What tells one Stable Diffusion from another: the parameters of each part, sizes, and the conventions that code must follow."""

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from .locate import path_of
from .parts import made
from .planning import configuration, pixels
from .published import SCHEDULERS
from .sdxl import ENCODERS
from .settings import read_json
from .silence import quiet

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline


class Architecture(NamedTuple):
    """What code needs to know of a model. Pixels, tokens and widths are whole numbers."""

    parameters: dict[str, int]  # of each part: text_encoder, text_encoder_2 where there is one, unet, vae
    image: int  # pixels of one side of the images that it was made for
    latent: tuple[int, int, int]  # channels, height, width
    tokens: int  # of a prompt
    widths: list[int]  # of the text encoders
    channels: list[int]  # of the U-Net's resolution levels, from the finest
    transformers: list[int]  # transformer layers in each attention block of these levels, 0 where there is none
    prediction: str  # "epsilon" or "v_prediction"
    scaling_factor: float


def architecture(source: "DiffusionPipeline | str | os.PathLike" = "base") -> Architecture:
    """The Architecture of a model, from its configuration alone: no weights are read.

    source: one of PUBLISHED, a pipeline, or the name of a shipped checkpoint or of a folder.
    Raises EduError for anything else.
    """
    config, scheduler = configuration(source), schedule(source)
    parts = [part for part in (*ENCODERS, "unet", "vae") if part in config]
    texts = [config[part] for part in ENCODERS if part in config]
    height, _ = pixels(config, None)
    side = config["unet"]["sample_size"]
    return Architecture(
        parameters={part: parameters(part, config[part]) for part in parts},
        image=height,
        latent=(config["vae"]["latent_channels"], side, side),
        tokens=texts[0]["max_position_embeddings"],
        widths=[text["hidden_size"] for text in texts],
        channels=list(blank("unet", config["unet"]).config.block_out_channels),
        transformers=transformers(config["unet"]),
        prediction=scheduler.get("prediction_type", "epsilon"),
        scaling_factor=config["vae"]["scaling_factor"],
    )


def schedule(source: Any) -> dict:
    """The configuration of the scheduler."""
    if isinstance(source, str) and source in SCHEDULERS:
        return SCHEDULERS[source]
    if isinstance(source, (str, os.PathLike)):
        return read_json(path_of(source) / "scheduler" / "scheduler_config.json")
    return dict(source.scheduler.config)


def transformers(config):
    """The transformer layers in each attention block of the U-Net's resolution levels, 0 where there is no attention."""
    made = blank("unet", config).config
    layers = made.transformer_layers_per_block
    layers = [layers] * len(made.down_block_types) if isinstance(layers, int) else layers
    return [n if "CrossAttn" in kind else 0 for n, kind in zip(layers, made.down_block_types, strict=True)]


def parameters(part, config):
    """How many parameters a part has."""
    return sum(p.numel() for p in blank(part, config).parameters())


def blank(part: str, config: dict) -> torch.nn.Module:
    """A part built from its configuration on the "meta" device: its tensors have shapes, but neither numbers nor memory."""
    with torch.device("meta"), quiet():
        return made(part, config)
