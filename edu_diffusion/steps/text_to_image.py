"""The whole of Stable Diffusion: prompt -> text embedding; noise -> U-Net, step by step -> latent -> picture.

The modules and weights are those of the pipeline that is passed in, so nothing is converted. Any
`StableDiffusionPipeline` will do: every prediction type, every timestep spacing, any device, any dtype; and any
`StableDiffusionXLPipeline`, whose conditioning sdxl.py computes (SDXL Turbo: steps=1, guidance=1).
The steps are DDIM's without clipping, or your own; the timesteps come from the configuration of the
pipeline's scheduler.
"""

from typing import NamedTuple

import torch

from .control import with_controls
from .denoise import ddim_step, ddim_timesteps, to_eps, to_x0
from .guidance import GUIDANCE, STEPS, guidance_at, guide
from .latents import decode, embed
from .noise import q_sample
from .sampling import with_extras
from .sdxl import AddedUNet, context_xl, is_xl
from .text import in_use
from .validate import StepError, check_finite, check_pipeline, check_prompts, check_whole

__all__ = ["State", "draw", "final", "generate", "initial_noise"]


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
    ddim_step; it may take `noise`, `previous` and `model` as in `sample`. Picture i has its own noise, too.
    z_T: a latent (B, 4, h, w) to start from in place of noise. pairs: the timesteps (t, s) to run in
    place of all that `steps` stands for, such as the last few of them; edit.py needs both.
    control: a Control(net, condition, ...), or a list of several: ControlNets that condition the U-Net.
    Raises ValueError for anything else, and at the first step whose result is not finite.
    Source: Rombach et al. 2022, section 3; Song et al. 2021, eq. 12.
    Twin: diffusers.StableDiffusionPipeline.__call__ with a DDIMScheduler.
    """
    prompts, negatives = check_prompts(prompt, negative, seed, guidance)
    pairs, noises = pairs or timesteps(pipe, steps, step), noise_stream(pipe, range(seed, seed + len(prompts)))
    z_t, unet = prepare_latents(z_T, next(noises)), with_controls(pipe.unet, control, pairs, len(prompts))
    (c, unet), kind = conditioned(pipe, unet, negatives, prompts, guidance, z_t), pipe.scheduler.config.prediction_type
    own = with_extras(step or ddim_step, noises.__next__, guided_model(pipe, unet, c, guidance, interval))
    for i, (t, s) in enumerate(pairs):
        abar_t, abar_s, g = level(pipe, t), level(pipe, s), guidance_at(t, guidance, interval)
        out_u, out_c = predict(unet, z_t, t, c, g)
        out = guide(out_u, out_c, g)
        eps_u, eps_c, eps = (to_eps(o, z_t, abar_t, kind) for o in (out_u, out_c, out))
        z_0 = to_x0(out, z_t, abar_t, kind)
        z_s = own(z_t, eps, abar_t, abar_s, z_0, s) if step else q_sample(z_0, eps, abar_s)
        yield State(i, t, s, z_t, eps_u, eps_c, eps, z_0, check_finite(z_s, z_t, i, t, abar_t))
        z_t = z_s


def draw(pipe, prompt, *, seed=0, batch=None, **settings):
    """Draw a picture of every prompt: `generate` to its end, then `decode`.

    x_0 = decode(z_s of the last step)

    prompt: a string, or a list of B strings. Picture i has the seed `seed + i`. batch: how many are drawn at once,
    which changes none of them; None is 40 on a CPU and 250 elsewhere. settings: as for `generate`.
    Returns (B, 3, H, W) in [-1, 1], float32. Raises ValueError where `generate` does.
    Source: Rombach et al. 2022, section 3. Twin: diffusers.StableDiffusionPipeline.__call__ with a DDIMScheduler.
    """
    prompts = [prompt] if isinstance(prompt, str) else list(prompt)
    batch = check_whole("batch", (40 if pipe.device.type == "cpu" else 250) if batch is None else batch, 1, 10_000)
    firsts = range(0, max(len(prompts), 1), batch)
    return torch.cat([final(pipe, generate(pipe, prompts[i:i + batch], seed=seed + i, **settings)) for i in firsts])


def final(pipe, states):
    """Run a sampling loop to its end, such as generate(...) or img2img(...), and decode its last latent.

    x_0 = decode(z_s of the last step)

    states: an iterable of State. Returns (B, 3, H, W) in [-1, 1], float32.
    Source: Rombach et al. 2022, section 3. Twin: diffusers.StableDiffusionPipeline.__call__ with a DDIMScheduler.
    """
    *_, last = states
    return decode(pipe, last.z_s).float()


def initial_noise(pipe, seeds, size=None):
    """Sample the noise that each picture starts from, on the CPU: a seed gives the same noise on every device.

    z_T ~ N(0, 1)

    seeds: B whole numbers from 0. size: of the latent, (h, w); None is the size that the U-Net was made for.
    Returns (B, 4, h, w) on the pipeline's device, in its text encoder's dtype.
    Source: Ho et al. 2020, algorithm 2, line 1. Twin: diffusers.StableDiffusionPipeline.prepare_latents.
    """
    return next(noise_stream(pipe, seeds, size))


def timesteps(pipe, steps, step=None):
    """Return the pairs (t, s) of a sampling run, as configured in the pipeline's scheduler.

    For a caller's own step each s is the next t, as in all of the library's schedulers but DDIM's.
    """
    check_pipeline(pipe)
    config = pipe.scheduler.config
    spacing, offset = config.get("timestep_spacing", "leading"), config.get("steps_offset", 0)
    pairs = ddim_timesteps(steps, config.num_train_timesteps, spacing, offset)
    levels = [t for t, _ in pairs]
    return list(zip(levels, [*levels[1:], -1], strict=True)) if step else pairs


def prepare_latents(z_T, noise):
    """Return the starting latent: the noise, or the caller's z_T; raise ValueError if z_T does not fit."""
    if z_T is None:
        return noise
    if not torch.is_tensor(z_T) or z_T.ndim != 4 or z_T.shape[:2] != noise.shape[:2]:
        raise StepError(f"z_T is {tuple(getattr(z_T, 'shape', ()))}; it must be a tensor with a latent for "
                         f"each prompt, ({len(noise)}, {noise.shape[1]}, h, w).")
    return z_T.to(noise)


def noise_stream(pipe, seeds, size=None):
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


def guided_model(pipe, unet, c, guidance, interval):
    """Return the function (s, z_s) -> eps, the guided noise at timestep s, for a sampler with a second evaluation."""

    def model(s, z_s):
        s = max(s, 0)
        g = guidance_at(s, guidance, interval)
        out = guide(*predict(unet, z_s, s, c, g), g)
        return to_eps(out, z_s, level(pipe, s), pipe.scheduler.config.prediction_type)

    return model


def context(pipe, negatives, prompts, g):
    """Return the text embeddings, those of the negative prompts first; without guidance the prompts' only."""
    return embed(pipe, prompts) if g == 1 else torch.cat([embed(pipe, negatives), embed(pipe, prompts)])


def conditioned(pipe, unet, negatives, prompts, g, z_t):
    """Return the text embeddings and the U-Net; Stable Diffusion XL's comes together with its added conditioning."""
    if not is_xl(pipe.unet):
        return context(pipe, negatives, prompts, g), unet
    c, added = context_xl(pipe, negatives, prompts, g, z_t)
    return c, AddedUNet(unet, added)


def predict(unet, z_t, t, c, g):
    """Run the U-Net for both predictions in one batch, negative prompts first; with g = 1 both are the prompt's."""
    c = c[-len(z_t) :] if g == 1 else c
    with in_use(unet):
        out = unet(torch.cat([z_t] * (len(c) // len(z_t))), t, encoder_hidden_states=c, return_dict=False)[0]
    return out[: len(z_t)], out[-len(z_t) :]
