"""What Stable Diffusion XL adds: a second text encoder, and a summary of the prompt and the sizes beside the timestep.

Both text encoders read the same prompt; the embeddings of their last layer but one are put side by side, and
the U-Net attends to them. The second one also summarises the whole prompt in one vector, the *pooled* embedding.
That vector and six sizes in pixels are added to the time embedding, so that they reach every ResNet block: in
training, pictures were enlarged and cropped, and the model was told so; in sampling we ask for an uncropped one.

`added`: {"text_embeds": the pooled embedding (B, width), "time_ids": the sizes (B, 6)}, the library's
`added_cond_kwargs`. SDXL Turbo has the same parts, and was distilled for one to four steps without guidance.
"""

from contextlib import contextmanager

import torch
import torch.nn.functional as F

from .text import in_use, token_ids
from .validate import StepError, check_texts, check_whole

__all__ = ["added_embedding", "embed_xl", "size_ids"]


@torch.no_grad()
def embed_xl(pipe, prompts):
    """Encode prompts with both text encoders of Stable Diffusion XL.

    c = (hidden states of encoder 1, those of encoder 2), each before the last layer; pooled = projection of
    encoder 2's final state at the end-of-text token

    prompts: a string or a list of B strings. Returns c (B, tokens, width 1 + width 2), pooled (B, width).
    Raises ValueError for a pipeline without the two encoders.
    Source: Podell et al. 2024 (SDXL), section 2.1. Twin: diffusers.StableDiffusionXLPipeline.encode_prompt.
    """
    check_xl(pipe)
    prompts, answers = check_texts("prompt", prompts), []
    for tokenizer, encoder in ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2)):
        ids = token_ids(pipe, tokenizer, prompts).input_ids
        with in_use(encoder):
            answers.append(encoder(ids, output_hidden_states=True))
    c = torch.cat([answer.hidden_states[-2] for answer in answers], dim=-1)
    return c.to(pipe.text_encoder_2.dtype), answers[1].text_embeds


def size_ids(original, crop, target):
    """Return the sizes that Stable Diffusion XL is conditioned on, all in pixels, heights before widths.

    (height, width before the enlargement; top, left of the crop; height, width of the picture)

    original, target: two whole numbers from 1. crop: two from 0; (0, 0) asks for a picture that is not cropped.
    Returns (6,), float32. Raises ValueError for anything else.
    Source: Podell et al. 2024 (SDXL), section 2.2.
    Twin: diffusers.StableDiffusionXLPipeline._get_add_time_ids.
    """
    sizes = {"original": (original, 1), "crop": (crop, 0), "target": (target, 1)}
    for name, (pair, least) in sizes.items():
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise StepError(f"{name} is {pair!r}; it must be two numbers of pixels, the vertical one first.")
        for number in pair:
            check_whole(name, number, least, 100_000)
    return torch.tensor([*original, *crop, *target], dtype=torch.float32)


def added_embedding(unet, added, z_t):
    """Turn the pooled embedding and the sizes into a vector that is added to the time embedding.

    linear_2(silu(linear_1((pooled, waves of each size)))), the waves being those of a timestep

    unet: diffusers' UNet2DConditionModel or ControlNetModel with addition_embed_type "text_time".
    added: {"text_embeds": (B, width), "time_ids": (B, 6)}. z_t: (B, 4, h, w), for the dtype.
    Returns (B, width of temb). Raises ValueError where the shapes do not fit.
    Source: Podell et al. 2024 (SDXL), section 2.2. Twin: diffusers.UNet2DConditionModel.get_aug_embed.
    """
    pooled, sizes = check_added(unet, added, z_t)
    waves = unet.add_time_proj(sizes.flatten()).reshape(len(sizes), -1)
    mlp = unet.add_embedding
    return mlp.linear_2(F.silu(mlp.linear_1(torch.cat([pooled, waves], dim=-1).to(z_t.dtype))))


def is_xl(unet):
    """Whether a U-Net is conditioned on a pooled embedding and on sizes, as Stable Diffusion XL's is."""
    return unet.config.get("addition_embed_type") == "text_time"


def context_xl(pipe, negatives, prompts, g, z_t):
    """Return c and `added`, those of the negative prompts first; without guidance the prompts' only."""
    pairs = [embed_xl(pipe, prompts)] if g == 1 else [negative_xl(pipe, negatives), embed_xl(pipe, prompts)]
    c, pooled = map(torch.cat, zip(*pairs, strict=True))
    edge = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    size = [edge * n for n in z_t.shape[2:]]
    sizes = size_ids(size, (0, 0), size).to(c).expand(len(c), -1)
    return c, {"text_embeds": pooled, "time_ids": sizes}


def negative_xl(pipe, negatives):
    """Embed negative prompts; an empty one is all zeros where the pipeline was trained with that."""
    c, pooled = embed_xl(pipe, negatives)
    if pipe.config.get("force_zeros_for_empty_prompt"):
        said = torch.tensor([bool(text) for text in negatives], device=c.device)
        c, pooled = c * said[:, None, None], pooled * said[:, None]
    return c, pooled


class AddedUNet:
    """A U-Net together with its added conditioning; called like the U-Net, for all rows or the last of them."""

    def __init__(self, unet, added):
        self.unet, self.added = unet, added

    def __getattr__(self, name):
        return getattr(self.unet, name)

    def __call__(self, z_t, t, encoder_hidden_states, **more):
        added = {name: x[-len(z_t):] for name, x in self.added.items()}
        return self.unet(z_t, t, encoder_hidden_states=encoder_hidden_states, added_cond_kwargs=added, **more)


@contextmanager
def without_overflow(pipe):
    """Yield the pipeline's VAE, in float32 inside the `with` block where float16 is too small: Stable Diffusion XL's."""
    vae, half = pipe.vae, pipe.vae.dtype == torch.float16
    needed = half and is_xl(pipe.unet) and vae.config.get("force_upcast")
    try:
        yield vae.to(torch.float32) if needed else vae
    finally:
        if needed:
            vae.to(torch.float16)


def check_xl(pipe):
    """Raise ValueError for a pipeline without the two text encoders of Stable Diffusion XL."""
    names = ("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2")
    lacking = [name for name in names if getattr(pipe, name, None) is None]
    if lacking:
        raise StepError(f"This pipeline has no {lacking[0]}; Stable Diffusion XL's base model and Turbo have two "
                        "text encoders (its refiner, which has one, is not supported).")


def check_added(unet, added, z_t):
    """Return the pooled embedding and the sizes; raise ValueError where they do not fit the U-Net or the batch."""
    B, config = len(z_t), unet.config
    width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    wanted = {"text_embeds": (B, width), "time_ids": (B, 6)}
    for name, shape in wanted.items():
        got = tuple(getattr((added or {}).get(name), "shape", ()))
        if got != shape:
            raise StepError(f"added[{name!r}] has the shape {got}; for Stable Diffusion XL it must be {shape}.")
    return added["text_embeds"], added["time_ids"]
