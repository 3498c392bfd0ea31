"""Image editing: the sampling loop of generate.py, started part-way, masked, or run in reverse.

img2img: add noise to the picture up to a timestep, then denoise from there. inpaint: at every step replace
everything outside the mask by the picture's own latent at the same noise level; `paste` at the end does the same
with pixels. Outpainting is inpainting of the margin that `expand_canvas` adds. invert: from a picture to its noise.
"""

from itertools import islice

import torch

from .denoise import ddim_step, to_eps, to_x0
from .guidance import GUIDANCE, STEPS
from .latents import encode
from .noise import q_sample
from .text_to_image import State, conditioned, generate, level, noise_stream, predict, timesteps
from .validate import StepError, check_finite, check_prompts, check_texts, number

__all__ = ["blend", "from_strength", "expand_canvas", "img2img", "inpaint", "invert", "latent_mask", "paste"]


@torch.no_grad()
def img2img(pipe, prompt, x_0, *, strength=0.6, negative="", seed=0, steps=STEPS, guidance=GUIDANCE,
            interval=None):
    """Add noise to a picture, then denoise it with a prompt, yielding a State for every step, like `generate`.

    z_t = q_sample(encode(x_0, eps), noise, abar_t), at the first timestep t of from_strength(..., strength)

    x_0: (1, 3, H, W) or one picture for each prompt, in [-1, 1]. strength: above 0 and up to 1, the fraction of
    the steps that is run, at least one step. At 1 a trace of the picture is left, as the noisiest x_t contains it.
    negative, guidance, interval: as in `generate`. Picture i draws eps, then noise, with the seed `seed + i`.
    Raises ValueError for anything else.
    Source: Meng et al. 2022 (SDEdit), section 3.
    Twin: diffusers.StableDiffusionImg2ImgPipeline.__call__ with a DDIMScheduler.
    """
    prompts, _ = check_prompts(prompt, negative, seed, guidance)
    pairs = from_strength(timesteps(pipe, steps), strength)
    z_0, noise = latents_and_noise(pipe, x_0, range(seed, seed + len(prompts)))
    z_t = q_sample(z_0, noise, level(pipe, pairs[0][0]))
    yield from generate(pipe, prompts, negative=negative, seed=seed, guidance=guidance, interval=interval,
                        z_T=z_t, pairs=pairs)


@torch.no_grad()
def inpaint(pipe, prompt, x_0, mask, *, strength=1.0, negative="", seed=0, steps=STEPS, guidance=GUIDANCE,
            interval=None, mix=None):
    """Regenerate what a mask marks, yielding a State for every step; the rest is kept fixed at every step.

    z_s = blend(q_sample(z_0, noise, abar_s), ddim_step(z_t, eps, abar_t, abar_s), latent_mask(mask))

    At strength 1 it starts from pure noise, below that as img2img does. The decoder changes every pixel a
    little: `paste` restores those outside the mask. mask: (1 or B, 1, H, W), regenerated where it is 1/2 or more.
    mix: your own function in place of `blend`. Other arguments and errors: as in `img2img`; a mask that marks no
    cell of the latent raises ValueError, too. (The kept part has the next step's timestep, as in the library.)
    Source: Avrahami et al. 2023 (Blended Latent Diffusion), section 4; Nichol et al. 2022 (GLIDE), 3.3.
    Twin: diffusers.StableDiffusionInpaintPipeline.__call__ with a U-Net of 4 channels.
    """
    prompts, _ = check_prompts(prompt, negative, seed, guidance)
    pairs = from_strength(timesteps(pipe, steps), strength)
    z_0, noise = latents_and_noise(pipe, x_0, range(seed, seed + len(prompts)))
    z_t = noise if strength == 1 else q_sample(z_0, noise, level(pipe, pairs[0][0]))
    m, nexts = check_mask(mask, x_0, z_0), iter([*(level(pipe, t) for t, _ in pairs[1:]), 1.0])

    def step(z_t, eps, abar_t, abar_s):
        known, drawn = q_sample(z_0, noise, next(nexts)), ddim_step(z_t, eps, abar_t, abar_s)
        return (mix or blend)(known, drawn, m)

    yield from generate(pipe, prompts, negative=negative, seed=seed, guidance=guidance, interval=interval,
                        step=step, z_T=z_t, pairs=pairs)


@torch.no_grad()
def invert(pipe, prompt, x_0, *, steps=STEPS):
    """DDIM inversion: run the steps in reverse, from a picture to its noise; `generate` takes the last z_t as z_T.

    z_t = q_sample(z_0, eps, abar_t), with z_0 and eps as the U-Net predicts them from z_s at timestep t

    Yields a State for every step, from z_s to the noisier z_t. It is exact only as far as the U-Net's predictions
    at neighbouring timesteps agree: more steps give a closer reconstruction. prompt: what the picture shows;
    there is no guidance. x_0: (B, 3, H, W) in [-1, 1], or one for all prompts. Raises ValueError for anything else.
    Source: Song et al. 2021, sections 4.3 and 5.4. Twin: diffusers.DDIMInverseScheduler.step.
    """
    prompts, kind = check_texts("prompt", prompt), pipe.scheduler.config.prediction_type
    z_s = encode(pipe, check_pictures(pipe, x_0, len(prompts)))
    c, unet = conditioned(pipe, pipe.unet, prompts, prompts, 1, z_s)
    for i, (t, s) in enumerate(reversed(timesteps(pipe, steps))):
        abar_s = level(pipe, s)
        out, _ = predict(unet, z_s, t, c, 1)
        eps, z_0 = to_eps(out, z_s, abar_s, kind), to_x0(out, z_s, abar_s, kind)
        z_t = check_finite(q_sample(z_0, eps, level(pipe, t)), z_s, i, t)
        yield State(i, t, s, z_t, eps, eps, eps, z_0, z_s)
        z_s = z_t


def from_strength(pairs, strength):
    """Return the steps that img2img runs at a strength: the last ones of the whole sampling run.

    pairs[n - int(n strength):], with n = len(pairs)

    strength: above 0, up to 1; where not even one step is left, ValueError is raised.
    Source: Meng et al. 2022 (SDEdit), section 3, its t_0.
    Twin: diffusers.StableDiffusionImg2ImgPipeline.get_timesteps.
    """
    n = len(pairs)
    if not number(strength) or not 0 < strength <= 1 or int(n * strength) < 1:
        raise StepError(f"strength is {strength!r}; with {n} steps it must be from {1 / n:.3g} to 1: "
                         "the fraction of the steps that is run.")
    return pairs[n - int(n * strength):]


def blend(known, drawn, mask):
    """Take one latent inside a mask and the other outside it.

    z = (1 - mask) known + mask drawn

    known, drawn: (B, 4, h, w), the picture's latent and the denoised one. mask: (1 or B, 1, h, w), 1 where the
    denoised one is taken. Returns (B, 4, h, w).
    Source: Lugmayr et al. 2022 (RePaint), eq. 8. Twin: diffusers.StableDiffusionInpaintPipeline.__call__.
    """
    return (1 - mask) * known + mask * drawn


def paste(x_0, drawn, mask):
    """Restore the pixels outside the mask, bit for bit.

    x = drawn where mask >= 1/2, else x_0

    x_0, drawn: (B, 3, H, W). mask: (1 or B, 1, H, W). Returns (B, 3, H, W).
    Source: Avrahami et al. 2023 (Blended Latent Diffusion), section 4, the simplest way it names.
    Twin: diffusers.image_processor.VaeImageProcessor.apply_overlay.
    """
    return torch.where(mask.to(drawn.device) >= 0.5, drawn, x_0.to(drawn))


def expand_canvas(x_0, left=0, right=0, top=0, bottom=0):
    """Return a larger canvas around a picture, filled with its outermost pixels, and a mask of the margin.

    left, right, top, bottom: pixels, each a multiple of the VAE's factor (Stable Diffusion 8, ours 4).
    x_0: (B, 3, H, W). Returns (B, 3, top + H + bottom, left + W + right) and (1, 1, ...), 1 in the margin.
    Source: Saharia et al. 2022 (Palette), on uncropping. Twin: torch.nn.functional.pad, mode="replicate".
    """
    height, width = x_0.shape[-2:]
    rows = torch.arange(-top, height + bottom, device=x_0.device)
    columns = torch.arange(-left, width + right, device=x_0.device)
    canvas = x_0[..., rows.clamp(0, height - 1), :][..., columns.clamp(0, width - 1)]
    within = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))
    return canvas, (~within).to(x_0)[None, None]


def latent_mask(mask, factor):
    """Downsample a mask to the latent's size: a cell is marked if its top left pixel is, as in the library.

    m = mask[..., ::factor, ::factor] >= 1/2

    mask: (B, 1, H, W). factor: pixels per cell, in both directions. Returns (B, 1, H / factor, W / factor).
    Source: Rombach et al. 2022, the authors' released code.
    Twin: diffusers.StableDiffusionInpaintPipeline.prepare_mask_latents.
    """
    return (mask[..., ::factor, ::factor] >= 0.5).float()


def latents_and_noise(pipe, x_0, seeds):
    """Return the latents of one or several pictures, and the noise to be added: one of each per seed."""
    x_0 = check_pictures(pipe, x_0, len(seeds))
    eps, noise = islice(noise_stream(pipe, seeds, [edge // factor(pipe) for edge in x_0.shape[2:]]), 2)
    return encode(pipe, x_0, eps), noise


def check_pictures(pipe, x_0, count):
    """Return one picture for each prompt; raise ValueError for a wrong shape, size or range."""
    f, shape = factor(pipe), tuple(getattr(x_0, "shape", ()))
    if not torch.is_tensor(x_0) or x_0.ndim != 4 or shape[0] not in (1, count) or shape[1] != 3:
        raise StepError(f"x_0 is {shape or type(x_0).__name__}; it must be a tensor (1, 3, H, W) "
                         f"or ({count}, 3, H, W), a picture for each prompt.")
    if shape[2] % f or shape[3] % f:
        raise StepError(f"x_0 is {shape[2]} x {shape[3]} pixels; both must be multiples of {f}.")
    if not x_0.abs().max() <= 1.01:  # not "> 1.01", so that NaN is refused, too
        raise StepError(f"x_0 has values from {x_0.min():.3g} to {x_0.max():.3g}; a picture must be in [-1, 1].")
    return x_0.expand(count, -1, -1, -1)


def check_mask(mask, x_0, z_0):
    """Return the mask at the latent's size; raise ValueError if it does not fit the pictures or marks nothing."""
    size, counts = x_0.shape[2:], (1, len(z_0))
    if not torch.is_tensor(mask) or mask.ndim != 4 or mask.shape[1:] != (1, *size) or len(mask) not in counts:
        raise StepError(f"mask is {tuple(getattr(mask, 'shape', ()))}; it must be a tensor with one mask "
                         f"for all pictures, (1, 1, {size[0]}, {size[1]}), or one for each.")
    edge = size[0] // z_0.shape[2]
    m = latent_mask(mask, edge).to(z_0)
    if not m.any():
        raise StepError(f"The mask marks no cell of the latent; paint an area at least {edge} pixels wide.")
    return m


def factor(pipe):
    """Return the VAE's downsampling factor: how many pixels wide a cell of the latent is."""
    return 2 ** (len(pipe.vae.config.block_out_channels) - 1)
