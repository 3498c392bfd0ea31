"""Narrow pipelines with random weights that are shaped like the published ones: same classes, blocks, layers and options.

The settings are those of the models' own configuration files, with smaller widths; `heads` below keeps the published
numbers of attention heads in proportion (5, 10, 20 and 20 of 64 channels each in Stable Diffusion 2 and XL).
"""

import tiny
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
ATTENDING, PLAIN = "CrossAttn{}Block2D", "{}Block2D"
SD15 = {"block_out_channels": (16, 32, 64, 64), "attention_head_dim": 8, "cross_attention_dim": 32}
SD2 = {
    "block_out_channels": (20, 40, 80, 80),
    "attention_head_dim": (5, 10, 20, 20),
    "cross_attention_dim": 32,
    "use_linear_projection": True,
    "upcast_attention": True,
}
SDXL = {
    "block_out_channels": (20, 40, 80),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "cross_attention_dim": 32 + 40,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 40 + 6 * 8,
}


def unet(sample_size, **settings):
    groups = {"norm_num_groups": 4, "sample_size": sample_size}
    return UNet2DConditionModel(**groups, **settings)


def vae(scaling_factor, **settings):
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    widths = {"block_out_channels": (8, 16, 32, 32), "layers_per_block": 2, "latent_channels": 4, "norm_num_groups": 4}
    return AutoencoderKL(**kinds, **widths, scaling_factor=scaling_factor, **settings)


def text_config(words, width, layers, activation, **settings):
    return CLIPTextConfig(
        vocab_size=len(words),
        max_position_embeddings=tiny.TOKENS,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        hidden_act=activation,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
        **settings,
    )


def finished(pipe):
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    return pipe


def sd(settings, kind="epsilon", activation="quick_gelu", seed=0):
    """Shaped like Stable Diffusion 1.4 and 1.5, or 2 with kind="v_prediction"."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        words = tiny.tokenizer()
        return finished(
            StableDiffusionPipeline(
                vae=vae(0.18215),
                text_encoder=CLIPTextModel(text_config(words, 32, 3, activation)),
                tokenizer=words,
                unet=unet(8, **settings),
                scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, set_alpha_to_one=False, prediction_type=kind)
                if kind == "epsilon"
                else DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=False, prediction_type=kind),
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
            )
        )


def sd15():
    return sd(SD15)


def sd2():
    return sd(SD2, "v_prediction", "gelu")


def sdxl(turbo=False, seed=0):
    """Shaped like Stable Diffusion XL's base model; Turbo's differs in the scheduler."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        words, second = tiny.tokenizer(), tiny.tokenizer()
        kind = EulerAncestralDiscreteScheduler if turbo else EulerDiscreteScheduler
        return finished(
            StableDiffusionXLPipeline(
                vae=vae(0.13025, force_upcast=True),
                text_encoder=CLIPTextModel(text_config(words, 32, 3, "quick_gelu")),
                text_encoder_2=CLIPTextModelWithProjection(text_config(second, 40, 4, "gelu", projection_dim=40)),
                tokenizer=words,
                tokenizer_2=second,
                unet=unet(8, **SDXL),
                scheduler=kind(**BETAS, timestep_spacing="trailing" if turbo else "leading"),
                add_watermarker=False,
            )
        )
