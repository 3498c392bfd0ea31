"""Recipe `latent`: the U-Net of the tiny Stable Diffusion, trained on latents and captions.

Loss: squared error of the velocity v at a random step (Salimans & Ho 2022), noisy steps more often; one caption in ten
is left empty, so that the same network also predicts without a prompt (Ho & Salimans 2022).

A caption here says nearly all there is to say, so the text could be turned into the whole picture at any level of
noise. So the noisy levels, where only the text can help, are drawn more often and count in full; min-SNR weights
(Hang et al. 2023) hardly count them. The model card has the trials, which were short and not one by one.
"""

import pathlib

import torch

from .. import models
from ..data import scenes
from ..errors import EduError
from ..steps import q_sample, velocity
from .loop import about, fit, fuse, generator, plain_attention

DROPPED = 0.1  # share of captions left empty
USUAL = 0.2  # share of scenes in the usual style; the rest is spread over all three


def latent(minutes=60.0, steps=None, run=None, device=None, seed=0, batch=64, lr=7e-4, tier="core",
           vae=None, clip=None, start=None, usual=USUAL, compiled=False):
    """Train the U-Net, and with it the text encoder that CLIP began. Yields Progress; its model holds both.

    vae, clip: run folders of those recipes; None: their folders beside `run`, else the shipped base's parts.
    start: a pipeline (name or folder) to go on from, all of its parts; None: a new U-Net.
    compiled: fuse the networks first, see fuse().
    The finished run holds a whole pipeline in <run>/model.
    """
    device = models.pick_device(device)
    vae, clip = (None, None) if start else (beside(run, "vae", vae), beside(run, "clip", clip))
    parts = Parts(vae, clip, device, start or "base")
    torch.manual_seed(seed)
    unet = plain_attention((parts.unet() if start else zero_residuals(models.build_unet())).to(device))
    both = torch.nn.ModuleDict({"unet": unet, "text_encoder": parts.text_encoder}).train()
    abar = models.build_scheduler().alphas_cumprod.to(device)
    if compiled:
        fuse(unet, parts.text_encoder, parts.vae.encoder)

    def loss(step):
        rng, scene = generator(seed, step), scenes.batch(batch, seed * 1_000_003 + step, tier, usual=usual)
        z_0 = parts.latents(scene.images)
        c = parts.text(drop(scene.captions, rng))
        return latent_loss(unet, z_0, c, abar, rng)

    yield from fit(both, loss, minutes=minutes, steps=steps, lr=lr, run=run)
    if run is not None:
        pipe = models.assemble(parts.vae, both.eval()["text_encoder"], parts.tokenizer, unet)
        runs = {name: folder for name, folder in (("vae", vae), ("clip", clip), ("latent", run)) if folder}
        settings = {"seed": seed, "tier": tier, "latent_lr": lr, "latent_batch": batch, "latent_usual": usual}
        models.save(pipe, pathlib.Path(run) / "model", settings | facts(pipe, runs, device))


def facts(pipe, runs, device):
    """What the model's card says of its making: steps and minutes of each recipe, sizes, hardware."""
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} CPU cores"
    made = {f"{recipe}_{key}": value for recipe, run in runs.items() for key, value in about(run).items()}
    sizes = {f"{part}_parameters": f"{sum(p.numel() for p in getattr(pipe, part).parameters()):,}"
             for part in ("vae", "text_encoder", "unet")}
    return {"hardware": name} | made | sizes


def latent_loss(unet, z_0, c, abar, rng):
    """Mean squared error of the predicted velocity; z_0 (B, 4, 16, 16), c (B, tokens, width)."""
    t = (torch.rand(len(z_0), generator=rng).sqrt() * len(abar)).long().to(z_0.device)  # the noisier, the more often
    eps = torch.randn(z_0.shape, generator=rng).to(z_0)
    z_t, v = q_sample(z_0, eps, abar[t]), velocity(z_0, eps, abar[t])
    return torch.nn.functional.mse_loss(unet(z_t, t, c).sample.float(), v)


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


def beside(run, recipe, given):
    """The run folder of another recipe: the one given, or the one next to `run`, or None for the shipped base."""
    if given is None and run is not None:
        given = pathlib.Path(run).parent / recipe
        return given if (given / "model").is_dir() else None
    if given is not None and not (pathlib.Path(given) / "model").is_dir():
        raise EduError(f"There is no trained {recipe} in {given}: train it first (train {recipe}).")
    return given


class Parts:
    """The trained parts that the U-Net learns between: the VAE, which stays as it is, and the text encoder.

    The text encoder goes on learning, so that concepts that must be drawn differently can move apart: of all
    that was tried this helped most (the model card has the numbers; Rombach et al. 2022 trained theirs along too).
    """

    def __init__(self, vae, clip, device, start="base"):
        from diffusers import AutoencoderKL
        from transformers import CLIPTextModel, CLIPTokenizer
        base = self.base = models.locate(start) if None in (vae, clip) else None
        vae = base / "vae" if vae is None else pathlib.Path(vae) / "model" / "vae"
        text, words = (base / "text_encoder", base / "tokenizer") if clip is None else (
            pathlib.Path(clip) / "model" / part for part in ("clip", "tokenizer"))
        with models.quiet():
            self.vae = AutoencoderKL.from_pretrained(vae, dtype=torch.float32).to(device).eval()
            self.text_encoder = CLIPTextModel.from_pretrained(
                text, dtype=torch.float32, attn_implementation="eager").to(device).eval()  # see plain_attention
            self.tokenizer = CLIPTokenizer.from_pretrained(words)
        self.vae.requires_grad_(False)

    def unet(self):
        """The U-Net of the pipeline that the parts come from."""
        from diffusers import UNet2DConditionModel
        with models.quiet():
            return UNet2DConditionModel.from_pretrained(self.base / "unet", dtype=torch.float32)

    @torch.no_grad()
    def latents(self, images):
        """Scaled latents of pictures: the encoder's mean, since its spread is noise that nobody can predict."""
        return (self.vae.encode(images.to(self.vae.device)).latent_dist.mean * self.vae.config.scaling_factor).float()

    def text(self, captions):
        """Text embeddings (B, tokens, width)."""
        ids = self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
        return self.text_encoder(ids.to(self.text_encoder.device)).last_hidden_state.float()
