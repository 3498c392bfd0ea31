"""Recipe `latent`: the U-Net of the tiny Stable Diffusion, trained on latents and captions.

Loss: squared error of the velocity v at a random step (Salimans & Ho 2022), weighted by min(SNR, 5) / (SNR + 1)
(Hang et al. 2023); one caption in ten is left empty, so that the same network also predicts without a prompt
(Ho & Salimans 2022).
"""

import pathlib

import torch

from .. import models
from ..data import scenes
from ..errors import EduError
from ..steps import q_sample, snr, velocity
from .loop import fit, generator

DROPPED = 0.1  # share of captions left empty


def latent(minutes=None, steps=None, run=None, device=None, seed=0, batch=32, lr=7e-4, tier="core",
           vae="runs/vae", clip="runs/clip"):
    """Train the U-Net on frozen latents and text embeddings. Yields Progress; its model is the U-Net.

    vae, clip: run folders of those recipes. The finished run holds a whole pipeline in <run>/model.
    """
    device = models.pick_device(device)
    frozen = Frozen(vae, clip, device)
    torch.manual_seed(seed)
    unet = zero_residuals(models.build_unet()).to(device).train()
    abar = models.build_scheduler().alphas_cumprod.to(device)

    def loss(step):
        rng, scene = generator(seed, step), scenes.batch(batch, seed * 1_000_003 + step, tier)
        z_0 = frozen.latents(scene.images, rng)
        c = frozen.text(drop(scene.captions, rng))
        return latent_loss(unet, z_0, c, abar, rng)

    yield from fit(unet, loss, minutes=minutes, steps=steps, lr=lr, run=run)
    if run is not None:
        pipe = models.assemble(frozen.vae, frozen.text_encoder, frozen.tokenizer, unet.eval())
        models.save(pipe, pathlib.Path(run) / "model", {"recipe": "latent", "seed": seed, "tier": tier})


def latent_loss(unet, z_0, c, abar, rng):
    """Weighted squared error of the predicted velocity; z_0 (B, 4, 16, 16), c (B, tokens, width)."""
    t = torch.randint(len(abar), (len(z_0),), generator=rng).to(z_0.device)
    eps = torch.randn(z_0.shape, generator=rng).to(z_0)
    z_t, v = q_sample(z_0, eps, abar[t]), velocity(z_0, eps, abar[t])
    weight = snr(abar[t]).clamp(max=5) / (snr(abar[t]) + 1)
    error = unet(z_t, t, c).sample.float() - v
    return (weight * error.square().mean(dim=(1, 2, 3))).mean()


def drop(captions, rng):
    """Some captions replaced by the empty one."""
    empty = torch.rand(len(captions), generator=rng) < DROPPED
    return ["" if gone else text for text, gone in zip(captions, empty)]


def zero_residuals(unet):
    """Let every residual branch and the output start at zero: the untrained network then disturbs nothing."""
    for name, module in unet.named_modules():
        if name.endswith((".conv2", ".proj_out")) or name == "conv_out":
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return unet


class Frozen:
    """The two trained parts that the U-Net learns between; neither changes."""

    def __init__(self, vae, clip, device):
        from diffusers import AutoencoderKL
        from transformers import CLIPTextModel, CLIPTokenizer
        vae, clip = (pathlib.Path(p) / "model" for p in (vae, clip))
        for path, recipe in ((vae, "vae"), (clip, "clip")):
            if not path.is_dir():
                raise EduError(f"There is no trained {recipe} at {path}: train it first (train {recipe}).")
        with models.quiet():
            self.vae = AutoencoderKL.from_pretrained(vae / "vae").to(device).eval().requires_grad_(False)
            self.text_encoder = CLIPTextModel.from_pretrained(clip / "clip").to(device).eval().requires_grad_(False)
            self.tokenizer = CLIPTokenizer.from_pretrained(clip / "tokenizer")

    @torch.no_grad()
    def latents(self, images, rng):
        """Scaled latents of pictures, drawn from the encoder's distribution."""
        dist = self.vae.encode(images.to(self.vae.device)).latent_dist
        eps = torch.randn(dist.mean.shape, generator=rng).to(dist.mean)
        return ((dist.mean + dist.std * eps) * self.vae.config.scaling_factor).float()

    @torch.no_grad()
    def text(self, captions):
        """Text embeddings (B, tokens, width)."""
        ids = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self.text_encoder(ids.to(self.text_encoder.device)).last_hidden_state.float()
