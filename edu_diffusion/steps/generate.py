"""The whole of Stable Diffusion: prompt -> text embedding; noise -> U-Net, step by step -> latent -> picture.

The modules and weights are those of the pipeline that is passed in, so nothing is converted. Any
`StableDiffusionPipeline` will do: every prediction type, every timestep spacing, any device, any dtype.
The steps are DDIM's without clipping, or your own; the timesteps come from the configuration of the
pipeline's scheduler.
"""

import warnings
from contextlib import contextmanager
from typing import NamedTuple

import torch

from .check import checked, fitting, sound
from .control import steered
from .denoise import ddim_step, ddim_timesteps, to_eps, to_x0
from .guide import GUIDANCE, STEPS, guidance_at, guide
from .noise import q_sample
from .sample import equipped

__all__ = ["State", "decode", "embed", "generate", "initial_noise", "to_uint8"]


class State(NamedTuple):
    """One denoising step of `generate`, from timestep t to the less noisy timestep s (s = -1: no noise left).

    All tensors: (B, 4, h, w). Without guidance the U-Net is run for the prompt only: eps_u equals eps_c.
    """

    i: int  # 0, 1, 2, ...: the number of the step
    t: int
    s: int
    z_t: torch.Tensor  # the latent before the step
    eps_u: torch.Tensor  # noise predicted for the negative prompt
    eps_c: torch.Tensor  # noise predicted for the prompt
    eps: torch.Tensor  # the guided noise prediction
    z_0: torch.Tensor  # the predicted clean latent
    z_s: torch.Tensor  # the latent after the step


@torch.no_grad()
def generate(pipe, prompt, *, negative="", seed=0, steps=STEPS, guidance=GUIDANCE, interval=None, step=None,
             z_T=None, pairs=None, control=None):
    """Generate a latent from a prompt, yielding a State for every step; `decode` the last z_s to see the picture.

    z_s = ddim_step(z_t, eps, abar_t, abar_s), with eps = guide(eps_u, eps_c, guidance); since z_0 is computed
    anyway, also from v, this is written as q_sample(z_0, eps, abar_s)

    prompt, negative: a string, or a list of B strings. Picture i has the seed `seed + i`, so that it does
    not depend on its batch. steps: 1 to T. guidance: any finite g; 1 is no guidance and one U-Net call.
    (The library skips guidance for every g <= 1; here 0 <= g < 1 follows the formula.)
    interval: (low, high), the timesteps t with guidance; None is all.
    step: a sampler such as heun_step, or your own function (x_t, eps, abar_t, abar_s) -> x_s, in place of
    ddim_step; it may take `noise`, `before` and `ask` as in `sample`. Picture i has its own noise, too.
    z_T: a latent (B, 4, h, w) to start from in place of noise. pairs: the timesteps (t, s) to run in
    place of all that `steps` stands for, such as the last few of them; edit.py needs both.
    control: a Control(net, condition, ...), or a list of several: ControlNets that condition the U-Net.
    Raises ValueError for anything else, and at the first step whose result is not finite.
    Source: Rombach et al. 2022, section 3; Song et al. 2021, eq. 12.
    Twin: diffusers.StableDiffusionPipeline.__call__ with a DDIMScheduler.
    """
    prompts, negatives = checked(prompt, negative, seed, guidance)
    pairs, noises = pairs or timesteps(pipe, steps, step), draws(pipe, range(seed, seed + len(prompts)))
    c, unet = context(pipe, negatives, prompts, guidance), steered(pipe.unet, control, pairs, len(prompts))
    z_t, kind = beginning(z_T, next(noises)), pipe.scheduler.config.prediction_type
    own = equipped(step or ddim_step, noises.__next__, asker(pipe, unet, c, guidance, interval))
    for i, (t, s) in enumerate(pairs):
        abar_t, abar_s, g = level(pipe, t), level(pipe, s), guidance_at(t, guidance, interval)
        out_u, out_c = predict(unet, z_t, t, c, g)
        out = guide(out_u, out_c, g)
        eps_u, eps_c, eps = (to_eps(o, z_t, abar_t, kind) for o in (out_u, out_c, out))
        z_0 = to_x0(out, z_t, abar_t, kind)
        z_s = own(z_t, eps, abar_t, abar_s, z_0, s) if step else q_sample(z_0, eps, abar_s)
        yield State(i, t, s, z_t, eps_u, eps_c, eps, z_0, sound(z_s, z_t, i, t))
        z_t = z_s


@torch.no_grad()
def embed(pipe, prompts):
    """Encode prompts as the text embedding c that the U-Net attends to.

    c = text_encoder(token ids, padded to the tokenizer's length); a longer prompt is truncated, with a warning.

    prompts: a string or a list of B strings. Returns (B, tokens, width).
    Source: Rombach et al. 2022, section 3.3. Twin: diffusers.StableDiffusionPipeline.encode_prompt.
    """
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    prompts = pipe.maybe_convert_prompt(prompts, pipe.tokenizer)  # textual inversion: a word may be several tokens
    warn_if_cut(pipe.tokenizer, prompts)
    ids = pipe.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").to(pipe.device)
    masked = getattr(pipe.text_encoder.config, "use_attention_mask", False)
    with in_use(pipe.text_encoder):
        return pipe.text_encoder(ids.input_ids, attention_mask=ids.attention_mask if masked else None)[0]


def initial_noise(pipe, seeds):
    """Sample the noise that each picture starts from, on the CPU: a seed gives the same noise on every device.

    z_T ~ N(0, 1)

    seeds: B whole numbers from 0. Returns (B, 4, h, w) on the pipeline's device, in its text encoder's dtype.
    Source: Ho et al. 2020, algorithm 2, line 1. Twin: diffusers.StableDiffusionPipeline.prepare_latents.
    """
    return next(draws(pipe, seeds))


@torch.no_grad()
def decode(pipe, z_0):
    """Decode clean latents to pictures.

    x_0 = vae.decode(z_0 / scaling_factor), clipped to [-1, 1]: the decoder may overshoot a little.

    z_0: (B, 4, h, w). Returns (B, 3, H, W) in [-1, 1].
    Source: Rombach et al. 2022, section 3.1. Twin: diffusers.AutoencoderKL.decode.
    """
    with in_use(pipe.vae):
        return pipe.vae.decode(z_0 / pipe.vae.config.scaling_factor, return_dict=False)[0].clamp(-1, 1)


def to_uint8(x):
    """Convert pictures to bytes for a file or a screen.

    byte = round(255 clip(x / 2 + 1/2, 0, 1)), ties to the even byte

    x: (B, 3, H, W) in [-1, 1]. Returns (B, H, W, 3), uint8, on the CPU.
    Source: the 8-bit RGB of every PNG. Twin: diffusers.image_processor.VaeImageProcessor.postprocess.
    """
    x = (x.detach() * 0.5 + 0.5).clamp(0, 1).cpu().float()
    return (x * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def timesteps(pipe, steps, step=None):
    """Return the pairs (t, s) of a sampling run, as configured in the pipeline's scheduler.

    For a caller's own step each s is the next t, as in all of the library's schedulers but DDIM's.
    """
    fitting(pipe)
    config = pipe.scheduler.config
    spacing, offset = config.get("timestep_spacing", "leading"), config.get("steps_offset", 0)
    pairs = ddim_timesteps(steps, config.num_train_timesteps, spacing, offset)
    levels = [t for t, _ in pairs]
    return list(zip(levels, [*levels[1:], -1], strict=True)) if step else pairs


def beginning(z_T, noise):
    """Return the starting latent: the noise, or the caller's z_T; raise ValueError if z_T does not fit."""
    if z_T is None:
        return noise
    if not torch.is_tensor(z_T) or z_T.ndim != 4 or z_T.shape[:2] != noise.shape[:2]:
        raise ValueError(f"z_T is {tuple(getattr(z_T, 'shape', ()))}; it must be a tensor with a latent for "
                         f"each prompt, ({len(noise)}, {noise.shape[1]}, h, w).")
    return z_T.to(noise)


def draws(pipe, seeds, size=None):
    """Yield noise for the whole batch, again and again; every picture has its own generator, on the CPU.

    size: of the latent, (h, w); None is the size that the U-Net was made for.
    """
    size = size or pipe.unet.config.sample_size
    shape = (1, pipe.unet.config.in_channels, *([size, size] if isinstance(size, int) else size))
    dtype, generators = pipe.text_encoder.dtype, [torch.Generator().manual_seed(int(seed)) for seed in seeds]
    while True:
        yield torch.cat([torch.randn(shape, generator=g, dtype=dtype) for g in generators]).to(pipe.device)


def level(pipe, t):
    """Return abar_t; for t = -1, after the last step, that is 1, or abar_0 if the scheduler is configured so."""
    abar = pipe.scheduler.alphas_cumprod
    if t < 0 and pipe.scheduler.config.get("set_alpha_to_one", True):
        return abar.new_tensor(1.0)
    return abar[max(t, 0)]


def asker(pipe, unet, c, guidance, interval):
    """Return the function (s, z_s) -> eps, the guided noise at timestep s, for a sampler with a second evaluation."""

    def ask(s, z_s):
        s = max(s, 0)
        g = guidance_at(s, guidance, interval)
        out = guide(*predict(unet, z_s, s, c, g), g)
        return to_eps(out, z_s, level(pipe, s), pipe.scheduler.config.prediction_type)

    return ask


def context(pipe, negatives, prompts, g):
    """Return the text embeddings, those of the negative prompts first; without guidance the prompts' only."""
    return embed(pipe, prompts) if g == 1 else torch.cat([embed(pipe, negatives), embed(pipe, prompts)])


def predict(unet, z_t, t, c, g):
    """Run the U-Net for both predictions in one batch, negative prompts first; with g = 1 both are the prompt's."""
    c = c[-len(z_t) :] if g == 1 else c
    with in_use(unet):
        out = unet(torch.cat([z_t] * (len(c) // len(z_t))), t, encoder_hidden_states=c, return_dict=False)[0]
    return out[: len(z_t)], out[-len(z_t) :]


@contextmanager
def in_use(model):
    """Put a model into evaluation mode (no dropout) inside the `with` block; every part is then set back."""
    modes = [(part, part.training) for part in model.modules()] if model.training else []
    for part, _ in modes:
        part.training = False
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def warn_if_cut(tokenizer, prompts):
    """Warn when a prompt has more tokens than the text encoder can read."""
    for prompt, ids in zip(prompts, tokenizer(prompts, verbose=False).input_ids, strict=True):
        if len(ids) > tokenizer.model_max_length:
            warnings.warn(f"The prompt {prompt[:40]!r}... has {len(ids) - 2} tokens; only the first "
                          f"{tokenizer.model_max_length - 2} are read.", stacklevel=3)
