"""The network of a pipeline's part, built from its configuration alone."""

import torch

from .sdxl import ENCODERS

NETWORKS = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
NOT_BUILT = ("model_type", "architectures", "transformers_version", "dtype", "torch_dtype")  # of a text encoder's config.json


def made(part: str, config: dict) -> torch.nn.Module:
    """A text encoder, U-Net or VAE with new weights, on whatever device is the default: "meta" and fake tensors take no memory.

    part: "text_encoder", "text_encoder_2", "unet" or "vae". config: what is in its config.json.
    """
    import diffusers
    import transformers

    if part in NETWORKS:
        return getattr(diffusers, NETWORKS[part]).from_config(config)
    settings = {name: value for name, value in config.items() if name not in NOT_BUILT}
    return getattr(transformers, ENCODERS[part])(transformers.CLIPTextConfig(**settings))
