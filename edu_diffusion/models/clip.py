"""CLIP with both encoders: shipped beside the pipeline, which needs only the text encoder."""

import os
from typing import TYPE_CHECKING

import torch

from . import settings, validate, weights
from .device import pick_device
from .locate import MODEL, clip_folders
from .sentences import in_words, reachable
from .silence import quiet

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTokenizer


@reachable()
def load_clip(name: str | os.PathLike = "clip", device: str | torch.device | None = None) -> "tuple[CLIPModel, CLIPTokenizer]":
    """A CLIPModel and its CLIPTokenizer, from a shipped checkpoint's name, a folder, or the result of `train clip`.

    Raises EduError when there is none or it is incomplete: the library would fill missing weights with random numbers.
    """
    from transformers import CLIPModel, CLIPTokenizer

    root, words = clip_folders(name)
    found = weights.header(root / MODEL)
    validate.tensors(root, weights.modern(weights.shapes(blank_clip(root, found))), weights.modern(found))
    with quiet(), in_words(root):
        model = CLIPModel.from_pretrained(root, dtype=torch.float32, local_files_only=True, use_safetensors=True)
        tokenizer = CLIPTokenizer.from_pretrained(words, local_files_only=True)
    validate.words(root, tokenizer, model.config.text_config)
    return model.eval().to(pick_device(device)), tokenizer


def blank_clip(root, held):
    """The CLIPModel of a folder's configuration, with shapes but without numbers. held: {name: shape} of its weights."""
    from transformers import CLIPConfig, CLIPModel

    settings.numbers(root / "config.json", settings.read_json(root / "config.json"), held)
    with settings.blank(root / "config.json", held):
        return CLIPModel(CLIPConfig.from_pretrained(root))
