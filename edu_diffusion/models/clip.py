"""CLIP with both encoders: shipped beside the pipeline, which needs only the text encoder."""

import pathlib

import torch

from ..data import files
from ..errors import EduError
from . import check
from .device import pick_device
from .silence import quiet

WEIGHTS = "model.safetensors"


def load_clip(name="clip", device=None):
    """A CLIPModel and its CLIPTokenizer, from a shipped checkpoint's name, a folder, or the result of `train clip`.

    Raises EduError when there is none or it is incomplete: the library would fill missing weights with random numbers.
    """
    from transformers import CLIPModel, CLIPTokenizer
    root, words = clip_folders(name)
    check.tensors(root, check.modern(check.shapes(blank_clip(root))), check.modern(check.header(root / WEIGHTS)))
    with quiet(), check.in_words(root):
        model = CLIPModel.from_pretrained(root, dtype=torch.float32, local_files_only=True, use_safetensors=True)
        tokenizer = CLIPTokenizer.from_pretrained(words, local_files_only=True)
    check.words(root, tokenizer, model.config.text_config)
    return model.eval().to(pick_device(device)), tokenizer


def clip_folders(name):
    """The folders of a CLIP and its tokenizer, usually the same. Raises EduError when there is none or files are missing."""
    path = pathlib.Path(name)
    root = words = path if path.is_dir() else files.PACKAGE / "checkpoints" / str(name)
    if (root / "clip").is_dir():  # as the recipe writes it
        root, words = root / "clip", root / "tokenizer"
    if not (root / "config.json").is_file():
        raise EduError(f"There is no CLIP {str(name)!r}: give a folder with config.json, {WEIGHTS} and the tokenizer's files, "
                       "or the shipped one, 'clip'.")
    if check.read_json(root / "config.json").get("model_type") != "clip":
        raise EduError(f"{root} holds another model; expected the folder of a CLIPModel.")
    lacking = [str(file) for file in (root / WEIGHTS, *check.word_files(words)) if not file.is_file()]
    if lacking:
        raise EduError(f"{check.few(lacking)} is missing: copy or download it again.")
    return root, words


def blank_clip(root):
    """The CLIPModel of a folder's configuration, with shapes but without numbers."""
    from transformers import CLIPConfig, CLIPModel
    with check.in_words(root), torch.device("meta"):
        return CLIPModel(CLIPConfig.from_pretrained(root))
