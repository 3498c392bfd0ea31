"""The readable code: every key step of Stable Diffusion as a function short enough for a slide.

Each function needs torch alone, states its formula, shapes and source, and is proven equal to the
library's own, its *twin*, by a test. The notation is the same everywhere:

| name          | meaning                                                          | shape, range            |
|---------------|------------------------------------------------------------------|-------------------------|
| `x_0`         | clean image                                                      | (B, C, H, W) in [-1, 1] |
| `x_t`         | the same image, noisy                                            | (B, C, H, W)            |
| `z_0`, `z_t`  | the same for latents                                             | (B, 4, h, w)            |
| `eps`         | noise, standard normal                                           | like the image          |
| `v`           | velocity, sqrt(abar_t) eps - sqrt(1 - abar_t) x_0                | like the image          |
| `betas`       | noise added by each of T levels                                  | (T,) in (0, 1)          |
| `abar_t`      | signal left at level t (the library's `alphas_cumprod`)          | in (0, 1], see below    |
| `snr_t`       | signal-to-noise ratio, abar_t / (1 - abar_t)                     | > 0                     |
| `t -> s`      | one step, from the noisier level to the cleaner: abar_t < abar_s | whole numbers, s < t    |
| `c`           | text embedding                                                   | (B, tokens, width)      |
| `g`           | guidance scale, eps_u + g (eps_c - eps_u): g = 1 is no guidance  | usually 1 to 10         |
| `_u`, `_c`    | predicted without the prompt (or for the negative one), with it  |                         |

A level `abar_t` is one number for the whole batch, or a tensor (B,) with one for each picture.
"""

from .denoise import ddim_step, ddim_timesteps, eps_from_v, eps_from_x0, predict_x0, to_eps, to_x0, x0_from_v
from .generate import State, decode, embed, generate, initial_noise, to_uint8
from .guide import guide
from .latent import kl_to_unit, sample_latent
from .noise import abar, cosine_betas, q_sample, scaled_linear_betas, snr, velocity
from .text import contrastive_loss, similarity

__all__ = [
    # noise
    "scaled_linear_betas", "cosine_betas", "abar", "snr", "q_sample", "velocity",
    # denoise
    "predict_x0", "eps_from_v", "x0_from_v", "eps_from_x0", "to_eps", "to_x0", "ddim_step", "ddim_timesteps",
    # guide
    "guide",
    # latent
    "sample_latent", "kl_to_unit",
    # text
    "similarity", "contrastive_loss",
    # generate
    "State", "generate", "embed", "initial_noise", "decode", "to_uint8",
]
