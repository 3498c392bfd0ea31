"""CLIP with both encoders: shipped beside the pipeline, which needs only the text encoder."""

import os
from typing import TYPE_CHECKING

import torch

from . import validate
from .device import pick_device
from .locate import MODEL, clip_folders
from .silence import quiet

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTokenizer


def load_clip(name: str | os.PathLike = "clip", device: str | torch.device | None = None) -> "tuple[CLIPModel, CLIPTokenizer]":
    """A CLIPModel and its CLIPTokenizer, from a shipped checkpoint's name, a folder, or the result of `train clip`.

    Raises EduError when there is none or it is incomplete: the library would fill missing weights with random numbers.
    """
    from transformers import CLIPModel, CLIPTokenizer
    root, words = clip_folders(name)
    validate.tensors(root, validate.modern(validate.shapes(blank_clip(root))), validate.modern(validate.header(root / MODEL)))
    with quiet(), validate.in_words(root):
        model = CLIPModel.from_pretrained(root, dtype=torch.float32, local_files_only=True, use_safetensors=True)
        tokenizer = CLIPTokenizer.from_pretrained(words, local_files_only=True)
    validate.words(root, tokenizer, model.config.text_config)
    return model.eval().to(pick_device(device)), tokenizer


def blank_clip(root):
    """The CLIPModel of a folder's configuration, with shapes but without numbers."""
    from transformers import CLIPConfig, CLIPModel
    with validate.in_words(root), torch.device("meta"):
        return CLIPModel(CLIPConfig.from_pretrained(root))
