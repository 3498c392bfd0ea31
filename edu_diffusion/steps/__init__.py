"""The readable code: every key step of Stable Diffusion as a function short enough for a slide.

Each function needs only torch, states its formula, shapes and source, and is shown by a test to be equal to
the library's own function, its *twin*. The notation is the same everywhere:

| name          | meaning                                                          | shape, range            |
|---------------|------------------------------------------------------------------|-------------------------|
| `x_0`         | clean image                                                      | (B, C, H, W) in [-1, 1] |
| `x_t`         | the same image, noisy                                            | (B, C, H, W)            |
| `z_0`, `z_t`  | the same for latents                                             | (B, 4, h, w)            |
| `eps`         | noise, standard normal                                           | like the image          |
| `v`           | velocity, sqrt(abar_t) eps - sqrt(1 - abar_t) x_0                | like the image          |
| `betas`       | noise variance added at each of the T timesteps                  | (T,) in (0, 1)          |
| `abar_t`      | signal left at timestep t (the library's `alphas_cumprod`)       | in (0, 1], see below    |
| `snr_t`       | signal-to-noise ratio, abar_t / (1 - abar_t)                     | > 0                     |
| `sigma_t`     | noise level, sqrt((1 - abar_t) / abar_t)                         | >= 0                    |
| `t -> s`      | one denoising step, from noisier to cleaner: abar_t < abar_s     | whole numbers, s < t    |
| `c`           | text embedding                                                   | (B, tokens, width)      |
| `g`           | guidance scale, eps_u + g (eps_c - eps_u): g = 1 is no guidance  | usually 1 to 10         |
| `_u`, `_c`    | unconditional (or negative prompt) and conditional prediction    |                         |

`abar_t` is one number for the whole batch, or a tensor (B,) with one number for each picture.
"""

from .attention import attend, feed_forward, multi_head_attention, spatial_transformer, transformer_block
from .clip import contrastive_loss, similarity
from .control import Control, condition_embedding, control_edit, control_forward, zero_conv
from .denoise import ddim_step, ddim_timesteps, eps_from_v, eps_from_x0, predict_x0, to_eps, to_x0, x0_from_v
from .edit import blend, expand_canvas, from_strength, img2img, inpaint, invert, latent_mask, paste
from .exact import dataset_x0, mixture_posterior, mixture_x0
from .few_steps import consistency_scalings, hinge_discriminator, hinge_student, lcm_step, tcd_step
from .flow import flow_euler_step, flow_sample
from .guidance import GUIDANCE, STEPS, guidance_at, guide
from .hypernetwork import HyperProcessor, hyper, hyper_attend, with_hypernetwork
from .latents import decode, embed, encode, to_uint8
from .lenet import build_lenet, build_lenet_1998, lenet_1998, lenet_forward
from .levels import abar_from_sigma, karras_levels, karras_sigmas, sigma, spaced_levels, t_from_sigma
from .lora import lora_delta, lora_init, lora_linear, lora_merge
from .merge import add_difference, weighted_sum
from .noise import abar, cosine_betas, linear_betas, q_sample, scaled_linear_betas, sigmoid_betas, snr, velocity, zero_terminal_snr
from .quantize import (
    FORMATS,
    Format,
    Packed,
    dequantize_weight,
    float_levels,
    nearest_codes,
    normal_levels,
    pack_bits,
    quantize_weight,
    unpack_bits,
    whole_levels,
)
from .samplers import ddpm_step, dpmpp_2m_step, euler_ancestral_step, euler_step, heun_step
from .sampling import SampleState, sample
from .sdxl import added_embedding, embed_xl, size_ids
from .style_aligned import AlignedProcessor, adain, aligned, aligned_attend
from .text_to_image import State, draw, final, generate, initial_noise
from .unet import down_block, mid_block, resnet_block, timestep_embedding, unet_forward, up_block
from .vae import kl_to_unit, sample_latent

__all__ = [
    # noise
    "linear_betas", "scaled_linear_betas", "cosine_betas", "sigmoid_betas", "zero_terminal_snr",
    "abar", "snr", "q_sample", "velocity",
    # denoise
    "predict_x0", "eps_from_v", "x0_from_v", "eps_from_x0", "to_eps", "to_x0", "ddim_step", "ddim_timesteps",
    # levels
    "sigma", "abar_from_sigma", "t_from_sigma", "karras_sigmas", "spaced_levels", "karras_levels",
    # samplers
    "ddpm_step", "euler_step", "euler_ancestral_step", "heun_step", "dpmpp_2m_step",
    # sampling
    "SampleState", "sample",
    # few_steps
    "consistency_scalings", "lcm_step", "tcd_step", "hinge_discriminator", "hinge_student",
    # flow
    "flow_sample", "flow_euler_step",
    # exact
    "mixture_posterior", "mixture_x0", "dataset_x0",
    # unet
    "unet_forward", "timestep_embedding", "resnet_block", "down_block", "mid_block", "up_block",
    # control
    "Control", "zero_conv", "condition_embedding", "control_forward", "control_edit",
    # attention
    "multi_head_attention", "attend", "feed_forward", "transformer_block", "spatial_transformer",
    # guidance
    "GUIDANCE", "STEPS", "guide", "guidance_at",
    # vae and latents
    "sample_latent", "kl_to_unit",
    # sdxl
    "embed_xl", "size_ids", "added_embedding",
    # clip
    "similarity", "contrastive_loss",
    # lenet
    "build_lenet", "lenet_forward", "build_lenet_1998", "lenet_1998",
    # lora
    "lora_init", "lora_delta", "lora_linear", "lora_merge",
    # quantize
    "FORMATS", "Format", "Packed", "quantize_weight", "dequantize_weight", "nearest_codes", "pack_bits", "unpack_bits",
    "whole_levels", "float_levels", "normal_levels",
    # merge
    "weighted_sum", "add_difference",
    # hypernetwork
    "hyper", "hyper_attend", "with_hypernetwork", "HyperProcessor",
    # style_aligned
    "adain", "aligned_attend", "aligned", "AlignedProcessor",
    # text_to_image
    "State", "generate", "draw", "final", "embed", "initial_noise", "decode", "to_uint8",
    # edit
    "img2img", "inpaint", "invert", "from_strength", "blend", "paste", "expand_canvas", "latent_mask", "encode",
]
