"""What every adapter's recipe shares: a pipeline that stays as it is, and the loss its U-Net was trained with.

    base = Frozen("base")                           # loaded, nothing in it learns
    new = ...                                       # a module with the few weights that do
    yield from adapt(base, new, loss, minutes=1)    # and at the end the base's weights are what they were
"""

import hashlib
import pathlib

from .. import models
from ..errors import EduError
from ..steps import encode
from .latent import latent_loss, noisier
from .loop import about, fit, plain_attention
from .parts import encode_text

PARTS = ("vae", "text_encoder", "unet")


class Frozen:
    """A pipeline in float32 whose weights do not learn; what is to learn is added, or named in `learns`.

    pipe: the StableDiffusionPipeline, device: where it is, abar: its levels (T,), latents(images),
    text(captions), loss(images, captions, rng): as the base was trained, with the unet as it is now.
    """

    def __init__(self, model="base", device=None, learns=()):
        """model: anything that models.load takes. learns: parts that may change, such as "unet"."""
        self.pipe = models.load(model, device)
        kind = self.pipe.scheduler.config.prediction_type
        if kind != "v_prediction":
            raise EduError(f"{model} predicts {kind!r}; the recipes train models that predict 'v_prediction', "
                           "such as the shipped base.")
        self.device, self.abar = self.pipe.device, self.pipe.scheduler.alphas_cumprod.to(self.pipe.device)
        self.pipe.text_encoder.set_attn_implementation("eager")  # see plain_attention
        plain_attention(self.pipe.unet)
        for part in PARTS:
            getattr(self.pipe, part).requires_grad_(part in learns)
        self.fixed = {part: tuple(getattr(self.pipe, part).state_dict()) for part in PARTS if part not in learns}
        self.before = self.fingerprint()

    def latents(self, images):
        """Scaled latents (B, 4, h, w) of pictures (B, 3, H, W) in [-1, 1]: the encoder's mean."""
        return encode(self.pipe, images).float()

    def text(self, captions):
        """Text embeddings (B, tokens, width); gradients reach whatever in the text encoder may learn."""
        return encode_text(self.pipe.tokenizer, self.pipe.text_encoder, captions)

    def loss(self, images, captions, rng, levels=noisier):
        """Mean squared error of the predicted velocity at random levels; rng draws levels and noise."""
        return latent_loss(self.pipe.unet, self.latents(images), self.text(captions), self.abar, rng, levels)

    def fingerprint(self):
        """sha256 of the weights that must not change, under the names they had before anything was added."""
        digest = hashlib.sha256()
        for part, names in self.fixed.items():
            now = {name.replace(".base_layer.", "."): w for name, w in getattr(self.pipe, part).state_dict().items()}
            for name in names:
                digest.update(name.encode() + now[name].detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def unchanged(self):
        """Assert that the frozen weights are, bit for bit, what they were when they were loaded."""
        assert self.fingerprint() == self.before, "A recipe changed the base that it adapts."


def adapt(base, new, loss, **settings):
    """Train what may learn in the module `new` with loss(step); settings as in fit. Yields Progress of the pipe."""
    for progress in fit(new, loss, **settings):
        yield progress._replace(model=base.pipe)
    base.unchanged()


def finish(base, run, settings):
    """End of a recipe that changed the U-Net itself: save the whole pipeline in <run>/model, and what it took."""
    base.pipe.unet.eval()
    if run is not None:
        settings = settings | {"trained": trained(base.pipe.unet)} | about(run)
        models.save(base.pipe, pathlib.Path(run) / "model", settings)


def trained(module):
    """How many numbers in a module may learn."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
