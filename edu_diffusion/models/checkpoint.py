"""Load and save pipelines: from a shipped name, a folder, a single file or a hub id."""

import copy
import os
import pathlib
from typing import TYPE_CHECKING

import torch

from ..data import files
from ..errors import EduError
from . import sdxl, single_file, validate, weights
from .build import PARTS, assemble
from .device import pick_device
from .locate import as_path, path_of
from .prompts import guard_prompts
from .sentences import in_words, reachable
from .silence import pipeline_class, quiet

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@reachable()
def load(
    name: str | os.PathLike = "base",
    device: str | torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    online: bool = False,
    config: str | os.PathLike | None = None,
) -> "StableDiffusionPipeline":
    """A StableDiffusionPipeline, or a StableDiffusionXLPipeline, ready for inference.

    name: a shipped checkpoint's name, a pipeline folder, a .safetensors file with the original key names, or a
    hub id "owner/name", which must be in the local Hugging Face cache unless online=True.
    device: its name, see pick_device(). dtype: torch.float32 or torch.float16.
    config: for a file without its configuration: the name, folder or hub id of a model of the same kind.
    Raises EduError when it is not a complete Stable Diffusion: the libraries accept a lot silently (see check.py).
    """
    device, path = pick_device(device), as_path(name)
    if dtype not in DTYPES:
        raise EduError(f"dtype={dtype!r} is not possible: use torch.float32 or torch.float16.")
    if config and not path.is_file():
        raise EduError(f"config= is for a single file, which {str(name)!r} is not: leave it out.")
    if path.is_file():
        pipe = single_file.read(path, dtype, config and path_of(config, online))
    else:
        pipe = read(path_of(name, online), dtype)
    validate.words(name, pipe.tokenizer, pipe.text_encoder.config)
    validate.schedule(name, pipe.scheduler)
    guard_prompts()
    pipe.set_progress_bar_config(disable=True)
    with quiet():  # diffusers warns that a CPU cannot compute in fp16; today's PyTorch can
        return pipe.to(device)


def read(root, dtype):
    """The pipeline in a folder."""
    if sdxl.is_folder(root):
        return sdxl.read(root, dtype)
    validate.folder(root)
    with quiet(), in_words(root):
        return pipeline_class().from_pretrained(
            root, dtype=dtype, local_files_only=True, use_safetensors=True, variant=weights.variant(root)
        )


def save(
    pipe: "StableDiffusionPipeline", target: str | os.PathLike, card: dict | None = None, dtype: torch.dtype = torch.float16
) -> None:
    """Write a folder that vanilla diffusers opens: weights as `dtype`, tokenizer files for other tools, card.json.

    The folder is written atomically. card: dict for card.json (recipe, seed, seconds, ...); the sha256
    of every file is added last. Raises EduError for a pipeline with an adapter in it, or with
    numbers that `dtype` cannot hold.
    """
    sdxl.refuse(pipe, "save it with pipe.save_pretrained(folder), which load() opens")
    single_file.plain(pipe)
    with files.staged(target, card) as stage, quiet():
        copied = assemble(*(_as(dtype, part, getattr(pipe, part)) for part in PARTS))
        copied.save_pretrained(stage, safe_serialization=True)
        single_file.tidy(pipe, stage)


def _as(dtype, name, part):
    """A copy of a part in another precision; the tokenizer and the scheduler as they are."""
    if not isinstance(part, torch.nn.Module):
        return part
    copied = copy.deepcopy(part).to(dtype)
    weights.refuse_infinite(f"The pipeline's {name}", copied.state_dict())
    return copied


def to_single_file(
    pipe: "StableDiffusionPipeline | str | os.PathLike", path: str | os.PathLike, dtype: torch.dtype = torch.float16
) -> pathlib.Path:
    """Write a pipeline as one .safetensors file with the original key names; returns its path.

    pipe: a StableDiffusionPipeline, or anything that load() takes. The file is written atomically.
    load() finds configuration and tokenizer in it; vanilla diffusers needs a folder that has them:
    StableDiffusionPipeline.from_single_file(path, config=folder).
    Raises EduError for another extension, a missing folder, or a pipeline with an adapter in it.
    """
    path = pathlib.Path(path)
    if path.suffix != ".safetensors" or path.is_dir() or not path.parent.is_dir():
        raise EduError(f"{path} cannot be written: name a .safetensors file in an existing folder.")
    if isinstance(pipe, (str, os.PathLike)):
        pipe = load(pipe, "cpu", dtype)
    sdxl.refuse(pipe, "only 1 and 2 are written as one file; pipe.save_pretrained(folder) writes a folder")
    with quiet():
        single_file.write(pipe, path, dtype)
    return path
