"""The trained parts around a U-Net: the VAE turns images into latents, the text encoder captions into embeddings."""

import pathlib

import torch

from .. import models
from ..data import school
from ..errors import EduError
from ..models import validate
from ..steps import encode


def beside(run, recipe, given):
    """The run folder of another recipe: the one given, or the one next to `run`, or None for the shipped base."""
    if given is None and run is not None:
        given = pathlib.Path(run).parent / recipe
        return given if (given / "model").is_dir() else None
    if given is not None and not (pathlib.Path(given) / "model").is_dir():
        raise EduError(f"There is no trained {recipe} in {given}: train it first (train {recipe}).")
    return given


class Parts:
    """The trained parts around the U-Net: the VAE, which is frozen, and the text encoder.

    The text encoder is fine-tuned, so that the embeddings of concepts that look different can move apart (Rombach et al.
    2022 trained theirs along too). The model card has experiments on it.
    """

    def __init__(self, vae, clip, device, start="base"):
        from diffusers import AutoencoderKL
        from transformers import CLIPTokenizer

        base = self.base = models.path_of(start) if None in (vae, clip) else None
        vae = base / "vae" if vae is None else pathlib.Path(vae) / "model" / "vae"
        text, words = (
            (base / "text_encoder", base / "tokenizer")
            if clip is None
            else (pathlib.Path(clip) / "model" / part for part in ("clip", "tokenizer"))
        )
        if base:
            validate.folder(base)
        with models.quiet():
            self.vae = AutoencoderKL.from_pretrained(vae, dtype=torch.float32, use_safetensors=True).to(device).eval()
            self.text_encoder = text_encoder_of(text).to(device)
            self.tokenizer = CLIPTokenizer.from_pretrained(words)
        self.vae.requires_grad_(False)

    def unet(self):
        """The U-Net of the pipeline that the parts come from."""
        from diffusers import UNet2DConditionModel

        with models.quiet():
            return UNet2DConditionModel.from_pretrained(self.base / "unet", dtype=torch.float32, use_safetensors=True)

    def latents(self, images):
        """Scaled latents of images: the mean of the encoder's distribution, since its variance is noise that nobody can predict."""
        return encode(self, images).float()

    def text(self, captions):
        """See encode_text."""
        return encode_text(self.tokenizer, self.text_encoder, captions)


def text_encoder_of(folder):
    """The text encoder in a folder, with plain attention (see plain_attention); of a whole CLIP, its text encoder."""
    from transformers import CLIPTextModel

    with models.quiet():
        return CLIPTextModel.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", use_safetensors=True).eval()


def encode_text(tokenizer, text_encoder, captions):
    """Text embeddings (B, tokens, width); gradients reach the trainable weights of the text encoder.

    For a school class a listed caption raises EduError, as a prompt does: nothing is taught that may not be asked for.
    """
    school.check(captions)
    ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    return text_encoder(ids.to(text_encoder.device)).last_hidden_state.float()
