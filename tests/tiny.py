"""A complete StableDiffusionPipeline with random weights, built in a second, and the mark of a twin test."""

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import logging
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

logging.disable_progress_bar()

MERGES = [("c", "a"), ("ca", "t</w>"), ("d", "o"), ("do", "g</w>"), ("r", "e"), ("re", "d</w>")]
TOKENS = 16


twin = pytest.mark.twin  # @twin("ddim_step"): this test compares that public step with the library, see test_twins.py


def tokenizer():
    """A CLIP tokenizer for any text: 256 bytes, 256 bytes at the end of a word, a few merges, begin, end."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(x + "</w>" for x in letters), *("".join(pair) for pair in MERGES)]
    vocab = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=MERGES, model_max_length=TOKENS)


def text_encoder(tokenizer):
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=TOKENS,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config)


def unet(dropout=0.0):
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        dropout=dropout,
        cross_attention_dim=32,
        attention_head_dim=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )


def vae():
    return AutoencoderKL(
        block_out_channels=(32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 3,
        latent_channels=4,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        sample_size=32,
        scaling_factor=0.5,
    )


def scheduler(**changes):
    settings = {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "clip_sample": False,
        "steps_offset": 1,
        "timestep_spacing": "trailing",
        "prediction_type": "v_prediction",
        **changes,
    }
    return DDIMScheduler(**settings)


def pipeline(dtype=torch.float32, dropout=0.0, seed=0, **scheduler_changes):
    """A pipeline for 32 x 32 pictures (latents 8 x 8, factor 4), the same weights for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        words = tokenizer()
        pipe = StableDiffusionPipeline(
            vae=vae(),
            text_encoder=text_encoder(words),
            tokenizer=words,
            unet=unet(dropout),
            scheduler=scheduler(**scheduler_changes),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipe.set_progress_bar_config(disable=True)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.eval()
    return pipe if dtype == torch.float32 else pipe.to(dtype)


def sd15():
    """A pipeline with a U-Net shaped like Stable Diffusion 1.5's, narrow: block types and layers are the defaults."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=16, block_out_channels=(16, 32, 32, 32), norm_num_groups=8, cross_attention_dim=32, attention_head_dim=8
        ).eval()
    pipe = StableDiffusionPipeline(**{**pipeline().components, "unet": unet}, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def saved(folder):
    """A folder with a pipeline of random weights that reads whole captions and draws 64 x 64 pixels."""
    from edu_diffusion import models

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "TOKENS", 128)
        pipe = pipeline()
    pipe.unet.register_to_config(sample_size=16)
    models.save(pipe, folder)
    return folder


def vanilla(pipe, prompt, seeds=(0,), output_type="latent", **settings):
    """What the library's own pipeline makes of the prompt: latents, or pictures with output_type="pil"."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return pipe(prompt, generator=generators, output_type=output_type, **settings).images
