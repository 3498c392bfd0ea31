"""Shared by all adapter recipes: a pipeline with frozen weights, and the loss its U-Net was trained with.

base = Frozen("base")                           # loaded, all weights frozen
new = ...                                       # a module with the few trainable weights
yield from adapt(base, new, loss, minutes=1)    # checks at the end that the base's weights are unchanged
"""

import hashlib
import pathlib

from .. import models
from ..errors import EduError
from ..steps import encode
from .loop import fit, plain_attention
from .losses import latent_loss, sample_timesteps
from .parts import encode_text
from .state import about

PARTS = ("vae", "text_encoder", "unet")


class Frozen:
    """A pipeline in float32 with frozen weights; the trainable ones are added, or named in `learns`.

    pipe: the StableDiffusionPipeline, device: where it is, abar: its cumulative signal levels (T,), latents(images),
    text(captions), loss(images, captions, rng): the base's training loss, with the U-Net in its current state.
    """

    def __init__(self, model="base", device=None, learns=()):
        """model: anything that models.load takes. learns: parts that are trained, such as "unet"."""
        self.pipe = models.load(model, device)
        models.sdxl.refuse(self.pipe, "the recipes train Stable Diffusion 1 and 2, such as the shipped base")
        kind = self.pipe.scheduler.config.prediction_type
        if kind != "v_prediction":
            raise EduError(
                f"{model} predicts {kind!r}; the recipes train models that predict 'v_prediction', such as the shipped base."
            )
        self.device, self.abar = self.pipe.device, self.pipe.scheduler.alphas_cumprod.to(self.pipe.device)
        self.pipe.text_encoder.set_attn_implementation("eager")  # see plain_attention
        plain_attention(self.pipe.unet)
        for part in PARTS:
            getattr(self.pipe, part).requires_grad_(part in learns)
        self.fixed = {part: tuple(getattr(self.pipe, part).state_dict()) for part in PARTS if part not in learns}
        self.before = self.fingerprint()

    def latents(self, images):
        """Scaled latents (B, 4, h, w) of images (B, 3, H, W) in [-1, 1]: the mean of the encoder's distribution."""
        return encode(self.pipe, images).float()

    def text(self, captions):
        """Text embeddings (B, tokens, width); gradients reach the trainable weights of the text encoder."""
        return encode_text(self.pipe.tokenizer, self.pipe.text_encoder, captions)

    def loss(self, images, captions, rng, levels=sample_timesteps):
        """Mean squared error of the predicted velocity at random timesteps; rng samples timesteps and noise."""
        return latent_loss(self.pipe.unet, self.latents(images), self.text(captions), self.abar, rng, levels)

    def fingerprint(self):
        """sha256 of the frozen weights, under the names they had before anything was added."""
        digest = hashlib.sha256()
        for part, names in self.fixed.items():
            now = {name.replace(".base_layer.", "."): w for name, w in getattr(self.pipe, part).state_dict().items()}
            for name in names:
                digest.update(name.encode() + now[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def unchanged(self):
        """Assert that the frozen weights are bit for bit the same as when they were loaded."""
        assert self.fingerprint() == self.before, "A recipe changed the frozen weights of the base that it adapts."


def adapt(base, new, loss, **settings):
    """Train the trainable weights of the module `new` with loss(step); settings as in fit. Yields Progress with the pipeline."""
    for progress in fit(new, loss, **settings):
        yield progress._replace(model=base.pipe)
    base.unchanged()


def finish(base, run, settings):
    """End of a recipe that trained the U-Net itself: save the whole pipeline in <run>/model, with steps and minutes."""
    base.pipe.unet.eval()
    if run is not None:
        settings = settings | {"trained": trained(base.pipe.unet)} | about(run)
        models.save(base.pipe, pathlib.Path(run) / "model", settings)


def trained(module):
    """The number of trainable parameters of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
