"""Between what people read and see and what the U-Net reads and writes: text embeddings, latents, pixels."""

import torch

from .sdxl import embed_xl, is_xl, without_overflow
from .text import in_use, warn_if_cut
from .vae import sample_latent
from .validate import check_picture

__all__ = ["decode", "embed", "encode", "to_uint8"]


@torch.no_grad()
def embed(pipe, prompts):
    """Encode prompts as the text embedding c that the U-Net attends to.

    c = text_encoder(token ids, padded to the tokenizer's length); a longer prompt is truncated, with a warning.

    prompts: a string or a list of B strings. Returns (B, tokens, width). Stable Diffusion XL: c of `embed_xl`.
    Source: Rombach et al. 2022, section 3.3. Twin: diffusers.StableDiffusionPipeline.encode_prompt.
    """
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    if is_xl(pipe.unet):
        return embed_xl(pipe, prompts)[0]
    prompts = pipe.maybe_convert_prompt(prompts, pipe.tokenizer)  # textual inversion: a word may be several tokens
    warn_if_cut(pipe.tokenizer, prompts)
    ids = pipe.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").to(pipe.device)
    masked = getattr(pipe.text_encoder.config, "use_attention_mask", False)
    with in_use(pipe.text_encoder):
        return pipe.text_encoder(ids.input_ids, attention_mask=ids.attention_mask if masked else None)[0]


@torch.no_grad()
def encode(pipe, x_0, eps=None):
    """Encode pictures as clean latents: with eps, sampled from the encoder's distribution; without it, its mean.

    z_0 = scaling_factor sample_latent(mean, logvar, eps)

    x_0: (B, 3, H, W) in [-1, 1]. eps: (B, 4, h, w), standard normal, or None. Returns (B, 4, h, w).
    Source: Rombach et al. 2022, section 3.1. Twin: diffusers.AutoencoderKL.encode.
    """
    dtype = pipe.vae.dtype
    with in_use(pipe.vae), without_overflow(pipe) as vae:
        answer = vae.encode(x_0.to(vae.device, vae.dtype), return_dict=False)[0]
    mean, logvar = answer.mean.to(dtype), answer.logvar.to(dtype)
    z_0 = mean if eps is None else sample_latent(mean, logvar, eps)
    return z_0 * pipe.vae.config.scaling_factor


@torch.no_grad()
def decode(pipe, z_0):
    """Decode clean latents to pictures.

    x_0 = vae.decode(z_0 / scaling_factor), clipped to [-1, 1]: the decoder may overshoot a little.

    z_0: (B, 4, h, w). Returns (B, 3, H, W) in [-1, 1].
    Source: Rombach et al. 2022, section 3.1. Twin: diffusers.AutoencoderKL.decode.
    """
    with in_use(pipe.vae), without_overflow(pipe) as vae:
        x_0 = vae.decode(z_0.to(vae.dtype) / vae.config.scaling_factor, return_dict=False)[0]
    return check_picture(x_0).clamp(-1, 1)


def to_uint8(x):
    """Convert pictures to bytes for a file or a screen.

    byte = round(255 clip(x / 2 + 1/2, 0, 1)), ties to the even byte

    x: (B, 3, H, W) in [-1, 1]. Returns (B, H, W, 3), uint8, on the CPU.
    Source: the 8-bit RGB of every PNG. Twin: diffusers.image_processor.VaeImageProcessor.postprocess.
    """
    x = (x.detach() * 0.5 + 0.5).clamp(0, 1).cpu().float()
    return (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
