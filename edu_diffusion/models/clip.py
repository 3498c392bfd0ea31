"""CLIP with both its towers: shipped beside the pipeline, which needs the text tower only."""

import torch

from .checkpoint import locate
from .device import pick_device
from .silence import quiet


def load_clip(name="clip", device=None):
    """A CLIPModel and its CLIPTokenizer, from a shipped checkpoint's name or a folder."""
    from transformers import CLIPModel, CLIPTokenizer
    folder = locate(name)
    with quiet():
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    return model.eval().to(pick_device(device)), tokenizer
