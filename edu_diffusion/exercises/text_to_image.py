"""Exercise of lesson 08: the six steps from a prompt and noise to an image, in one function."""

from types import SimpleNamespace

import torch

from ..steps import GUIDANCE, ddim_step, eps_from_v, guide, spaced_levels
from .exercise import Exercise
from .stand_in import stand_in

__all__ = ["TEXT_TO_IMAGE"]


def runs():
    """Arguments (pipe, prompt, z, n, g): two pipelines with different scaling factors."""
    rng, found = torch.Generator().manual_seed(43), []
    for factor, prompt, n, g in ((0.5, "a cat", 4, 3.0), (0.7, "red owl", 3, 1.5)):
        found.append((stand_in(factor), prompt, torch.randn(1, 4, 16, 16, generator=rng), n, g))
    return found


def in_turn(levels):
    """The pairs of neighbouring noise levels."""
    return list(zip(levels, levels[1:]))


def run(pipe, prompts, z, n, mix, step=ddim_step, again=False, scale=None, limit=1.0, pairs=in_turn):
    """Text to image in which one thing can be changed: mix(out_u, out_c) -> v, the step, the end."""
    c = pipe.text_encoder(pipe.tokenizer(prompts, padding="max_length", return_tensors="pt").input_ids)[0]
    levels, start = spaced_levels(pipe.scheduler.alphas_cumprod, n), z
    for (t, abar_t), (_, abar_s) in pairs(levels):
        z = start if again else z
        v = mix(*pipe.unet(torch.cat([z, z]), t, c).sample.chunk(2))
        z = step(z, v, abar_t, abar_s)
    scale = 1 / pipe.vae.config.scaling_factor if scale is None else scale
    return pipe.vae.decode(z * scale).sample.clamp(-limit, limit)


def by_ddim(z, v, abar_t, abar_s):
    return ddim_step(z, eps_from_v(v, z, abar_t), abar_t, abar_s)


def changed(mix=None, prompts=lambda prompt: ["", prompt], **changes):
    """A mistake: text to image with one thing changed. mix(out_u, out_c, g)."""
    mix = mix or guide

    def mistake(pipe, prompt, z, n, g):
        return run(pipe, prompts(prompt), z, n, lambda u, c: mix(u, c, g), **{"step": by_ddim, **changes})

    return mistake


text_to_image = changed()


def undecoded(pipe, prompt, z, n, g):
    """The mistake of returning the final latent."""
    ends = []

    def remembered(z, v, abar_t, abar_s):
        ends.append(by_ddim(z, v, abar_t, abar_s))
        return ends[-1]

    changed(step=remembered)(pipe, prompt, z, n, g)
    return ends[-1]


def backwards(z, v, abar_t, abar_s):
    return ddim_step(z, eps_from_v(v, z, abar_t), abar_s, abar_t)


def too_late(z, v, abar_t, abar_s):
    return ddim_step(z, eps_from_v(v, z, abar_s), abar_t, abar_s)


def guided_texts(pipe, prompt, z, n, g):
    """The mistake of guiding the text embeddings, and calling the U-Net once."""
    unet = lambda z, t, c: pipe.unet(z, t, guide(*c.chunk(2), g).expand(2, -1, -1))  # noqa: E731
    return changed(mix=lambda u, c, g: u)(SimpleNamespace(**{**vars(pipe), "unet": unet}), prompt, z, n, g)


def asked(time):
    """A mistake: the U-Net gets something else than t; time(t, s, abar_t)."""

    def mistake(pipe, prompt, z, n, g):
        levels = in_turn(spaced_levels(pipe.scheduler.alphas_cumprod, n))
        given = {t: time(t, s, abar_t) for (t, abar_t), (s, _) in levels}
        unet = lambda z, t, c: pipe.unet(z, given[t], c)  # noqa: E731
        return text_to_image(SimpleNamespace(**{**vars(pipe), "unet": unet}), prompt, z, n, g)

    return mistake


TEXT_TO_IMAGE = Exercise(
    "text_to_image",
    lambda pipe, prompt, z, n, g: text_to_image(pipe, prompt, z, n, g),
    runs,
    (
        (
            "the two prompts are swapped: the empty one comes first, so that its prediction is the first of the two halves.",
            changed(prompts=lambda prompt: [prompt, ""]),
        ),
        (
            "the prompt changes nothing: either both texts are empty, or only the prediction for the empty one is used.",
            changed(prompts=lambda prompt: ["", ""]),
        ),
        (
            "guidance changes nothing: either both texts are the prompt, or only the prediction with the prompt is used.",
            changed(prompts=lambda prompt: [prompt, prompt]),
        ),
        (
            "the step goes backwards: it must start at abar_t and lead to abar_s, in this order of the arguments.",
            changed(step=backwards),
        ),
        (
            "guidance starts at the wrong prediction: for g = 1 the result must be the one with the prompt.",
            changed(mix=lambda u, c, g: c + g * (c - u)),
        ),
        ("guidance goes the wrong way, away from the prompt.", changed(mix=lambda u, c, g: u - g * (c - u))),
        (
            "the output of the U-Net is used as noise; this one predicts v, so convert it with to_eps first.",
            changed(step=ddim_step),
        ),
        ("the loop starts anew at every step: give the result of a step to the next one.", changed(again=True)),
        (
            "the noise at the start is decoded: give the result of a step the name z, so that the loop goes on with it.",
            changed(pairs=lambda levels: []),
        ),
        ("only one step is made; does `return` stand inside the loop?", changed(pairs=lambda levels: in_turn(levels)[:1])),
        (
            "the last step is missing: the levels end with (-1, 1.0), and the last step leads there.",
            changed(pairs=lambda levels: in_turn(levels)[:-1]),
        ),
        (
            "the levels are passed through backwards; start with the noisiest one.",
            changed(pairs=lambda levels: in_turn(levels[::-1])),
        ),
        ("v is converted at the wrong noise level: z has that of abar_t, not of abar_s.", changed(step=too_late)),
        (
            "to_eps takes v first, and then the latent.",
            changed(step=lambda z, v, abar_t, abar_s: ddim_step(z, eps_from_v(z, v, abar_t), abar_t, abar_s)),
        ),
        ("the U-Net gets the timestep of the next level; the latent is still at t.", asked(lambda t, s, abar_t: s)),
        ("the U-Net gets abar_t; what it takes is the timestep t.", asked(lambda t, s, abar_t: abar_t)),
        ("g is not used; it is the guidance scale of this call.", changed(mix=lambda u, c, g: guide(u, c, GUIDANCE))),
        ("n is not used: this makes 20 steps, whatever n is.", lambda pipe, prompt, z, n, g: text_to_image(pipe, prompt, z, 20, g)),
        (
            "torch.stack adds a dimension; torch.cat joins the two latents in one batch.",
            lambda pipe, prompt, z, n, g: pipe.unet(torch.stack([z, z]), 500, torch.zeros(2, 1, 8)),
        ),
        ("pixels go from -1 to 1 here, not from 0 to 1.", lambda *given: text_to_image(*given).clamp(min=0)),
        (
            "guidance mixes the two predictions of the U-Net, not the two text embeddings; evaluate the U-Net with both.",
            guided_texts,
        ),
        (
            "every step jumps to the guess of the clean latent; go to the noise level of the next one, abar_s.",
            changed(step=lambda z, v, abar_t, abar_s: by_ddim(z, v, abar_t, 1.0)),
        ),
        ("the latent is not scaled before decoding: divide it by the VAE's scaling factor.", changed(scale=1.0)),
        (
            "multiply in training, divide in generating: the latent goes back to the VAE's own scale.",
            lambda pipe, prompt, z, n, g: changed(scale=pipe.vae.config.scaling_factor)(pipe, prompt, z, n, g),
        ),
        ("the decoder overshoots: limit the pixels to [-1, 1].", changed(limit=1e9)),
        ("this is the final latent; scale it and decode it.", undecoded),
    ),
    "this is the whole of text-to-image, made of your own pieces.",
    lines=(
        "def my_text_to_image(pipe, prompt, z, n, g):",
        '    ids = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids',
        "    c = pipe.text_encoder(ids)[0]",
        "    levels = spaced_levels(pipe.scheduler.alphas_cumprod, n)",
        "    for (t, abar_t), (s, abar_s) in zip(levels, levels[1:]):",
        "        out_u, out_c = pipe.unet(torch.cat([z, z]), t, c).sample.chunk(2)",
        "        v = guide(out_u, out_c, g)",
        '        eps = to_eps(v, z, abar_t, "v_prediction")',
        "        z = ddim_step(z, eps, abar_t, abar_s)",
        "    z = z / pipe.vae.config.scaling_factor",
        "    return pipe.vae.decode(z).sample.clamp(-1, 1)",
    ),
)
