"""A stand-in for a pipeline, so that a check of a whole text-to-image function takes milliseconds.

Its parts are formulas in place of networks, but they are called like the library's: tokenizer(prompts), text_encoder(ids)[0],
unet(z_t, t, c).sample, vae.decode(z).sample, scheduler.timesteps. Each result depends on every input.
"""

from types import SimpleNamespace
from typing import Any

import torch

from .. import steps
from ..errors import said

__all__ = ["stand_in"]

SIZE, TOKENS, WIDTH = 16, 12, 8
LENGTH = "max_length"


class Output(tuple):
    """What a part returns: a tuple of one tensor, which also has a name, as the library's outputs do."""

    def __new__(cls, name, tensor):
        made = super().__new__(cls, (tensor,))
        setattr(made, name, tensor)
        return made

    def __getitem__(self, at):
        return getattr(self, at) if isinstance(at, str) else super().__getitem__(at)

    def __getattr__(self, name):
        raise AttributeError(said("an output has no .{}; the tensor is its .{}.", name, next(iter(vars(self)), "sample")))


class Config(dict):
    """A configuration whose entries are attributes as well."""

    def __getattr__(self, name):
        if name not in self:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self[name]


class Tokens(Config):
    """What the tokenizer returns: token ids and mask, by name."""

    def to(self, device):
        return self


class Part:
    """What all parts have in common."""

    training, dtype, device = False, torch.float32, torch.device("cpu")

    def __init__(self, **config: Any) -> None:
        self.config = Config(config)


class Tokenizer:
    """A token for each letter, with a start and an end."""

    model_max_length = TOKENS

    def __call__(self, text, padding=False, truncation=False, max_length=TOKENS, return_tensors=None, **_):
        texts = [text] if isinstance(text, str) else list(text)
        ids = [[1, *(ord(letter) % 97 + 3 for letter in words), 2] for words in texts]
        ids = [[*row[: TOKENS - 1], 2] if truncation and len(row) > TOKENS else row for row in ids]
        if padding == LENGTH:
            ids = [row + [2] * (TOKENS - len(row)) for row in ids]
        if return_tensors == "pt":
            return Tokens(input_ids=torch.tensor(ids), attention_mask=torch.ones(len(ids), len(ids[0])))
        return Tokens(input_ids=ids[0] if isinstance(text, str) else ids)


class TextEncoder(Part):
    """An embedding of each token and its position; it wants as many tokens as the real one does."""

    def __call__(self, input_ids, attention_mask=None, **_):
        count = input_ids.shape[1]
        if count != TOKENS:
            raise RuntimeError(said("the text encoder reads {} tokens, and gets {}: pad them to the full length.", TOKENS, count))
        place = torch.arange(TOKENS)[:, None] * 0.3 + torch.arange(WIDTH)
        return Output("last_hidden_state", torch.sin(input_ids[:, :, None] * 0.7 + place))


class Unet(Part):
    """A velocity that depends on the latent, on the timestep and on the text."""

    def __call__(self, sample, timestep, encoder_hidden_states=None, return_dict=True, **_):
        z, t, c = sample, torch.as_tensor(timestep).reshape(-1, 1, 1, 1), encoder_hidden_states  # one for all, or one for each
        if isinstance(c, Output):
            raise RuntimeError(said("the U-Net gets all that the text encoder returns; the text embedding is its first part, [0]."))
        if z.shape[1:] != (4, SIZE, SIZE) or c is None or len(c) != len(z):
            texts = said("no text") if c is None else said("{} texts", len(c))
            raise RuntimeError(
                said("the U-Net gets latents of shape {} and {}; it needs a text for each latent.", tuple(z.shape), texts)
            )
        text = c.mean(1).unflatten(1, (4, -1)).sum(-1)[:, :, None, None]
        return Output("sample", torch.tanh(z * (0.4 + text)) + 0.5 * text - 0.3 * z + t / 2000)


class Vae(Part):
    """A decoder that enlarges three of the channels four times, brightens, and overshoots."""

    def decode(self, z, return_dict=True, **_):
        return Output("sample", 0.2 + 1.5 * z[:, :3].repeat_interleave(4, 2).repeat_interleave(4, 3))


class Scheduler(Part):
    """Stable Diffusion's noise schedule, with the steps of DDIM."""

    def __init__(self):
        super().__init__(prediction_type="v_prediction", timestep_spacing="trailing", num_train_timesteps=1000)
        self.alphas_cumprod, self.init_noise_sigma = steps.abar(steps.scaled_linear_betas()), 1.0

    def set_timesteps(self, count, device=None):
        self.levels = steps.spaced_levels(self.alphas_cumprod, count)
        self.timesteps = torch.tensor([t for t, _ in self.levels[:-1]])

    def scale_model_input(self, z, t=None):
        return z

    def step(self, out, t, z, **_):
        at = self.timesteps.tolist().index(int(t))
        abar_t, abar_s = self.levels[at][1], self.levels[at + 1][1]
        return Output("prev_sample", steps.ddim_step(z, steps.eps_from_v(out, z, abar_t), abar_t, abar_s))


def stand_in(scaling_factor: float = 0.5, channels: int = 4, size: int = SIZE) -> SimpleNamespace:
    """Return an object with the parts of a pipeline: tokenizer, text_encoder, unet, vae, scheduler.

    channels, size: what the U-Net's configuration says of its latents; it runs with 4 channels of 16 x 16 only.
    """
    return SimpleNamespace(
        tokenizer=Tokenizer(),
        text_encoder=TextEncoder(),
        unet=Unet(in_channels=channels, sample_size=size),
        vae=Vae(scaling_factor=scaling_factor),
        scheduler=Scheduler(),
        device=torch.device("cpu"),
        maybe_convert_prompt=lambda prompts, tokenizer: prompts,
    )
