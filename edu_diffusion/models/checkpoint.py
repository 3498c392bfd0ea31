"""Load and save pipelines: from a shipped name, a folder, a single file or a hub id."""

import contextlib
import copy
import os
import pathlib
import re

import torch

from ..data import files
from ..errors import EduError
from . import check, single_file
from .build import PARTS, assemble
from .device import pick_device
from .silence import quiet


def load(name="base", device=None, dtype=torch.float32, online=False, config=None):
    """A StableDiffusionPipeline, ready for inference.

    name: a shipped checkpoint's name, a pipeline folder, a .safetensors file with the original key names, or a
    hub id "owner/name", which must be in the local Hugging Face cache unless online=True.
    device: its name, see pick_device(). dtype: torch.float32 or torch.float16.
    config: for a file without its configuration: the name, folder or hub id of a model of the same kind.
    Raises EduError when it is not a complete Stable Diffusion: the libraries accept a lot silently (see check.py).
    """
    device, path = pick_device(device), pathlib.Path(name)
    if config and not path.is_file():
        raise EduError(f"config= is for a single file, which {str(name)!r} is not: leave it out.")
    if path.is_file():
        pipe = single_file.read(path, dtype, config and locate(config, online))
    else:
        pipe = read(locate(name, online), dtype)
    check.words(name, pipe.tokenizer, pipe.text_encoder.config)
    pipe.set_progress_bar_config(disable=True)
    with quiet():  # diffusers warns that a CPU cannot compute in fp16; today's PyTorch can
        return pipe.to(device)


def read(root, dtype):
    """The pipeline in a folder."""
    from diffusers import StableDiffusionPipeline
    check.folder(root)
    with quiet(), check.in_words(root):
        return StableDiffusionPipeline.from_pretrained(
            root, dtype=dtype, local_files_only=True, use_safetensors=True)


def locate(name, online=False):
    """The folder of a shipped checkpoint's name, a path or a hub id (see load).

    Raises EduError when there is none.
    """
    path = pathlib.Path(name)
    shipped = files.PACKAGE / "checkpoints" / str(name)
    if path.is_dir() or shipped.is_dir():
        return path if path.is_dir() else shipped
    if path.is_file():
        raise EduError(f"{name} is a file; expected a folder.")
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", str(name)):
        return from_hub(str(name), online)
    names = sorted(p.parent.name for p in (files.PACKAGE / "checkpoints").glob("*/model_index.json"))
    raise EduError(f"There is no model {str(name)!r}: give a folder, a .safetensors file, a hub id such as "
                   f"'owner/name', or one of the shipped checkpoints {names}.")


def from_hub(name, online):
    """The local folder of a hub id, downloaded first if online; pickles are never downloaded."""
    from diffusers import StableDiffusionPipeline
    try:
        with network(online):
            found = StableDiffusionPipeline.download(name, local_files_only=not online, use_safetensors=True)
            return pathlib.Path(found)
    except Exception as error:  # any failure of network or hub
        if not online:
            raise EduError(f"There is no folder {name!r} here and no such hub id in the local cache; "
                           f"load({name!r}, online=True) downloads it from the hub.") from error
        raise EduError(f"{name!r} could not be downloaded from the hub ({check.first_line(error)}); "
                       f"check the id and the network.") from error


@contextlib.contextmanager
def network(online):
    """Allow the hub library to use the network inside the block, if asked; this package sets it to offline."""
    from huggingface_hub import constants
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = before and not online
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def save(pipe, target, card=None):
    """Write a folder that vanilla diffusers opens: fp16 weights, tokenizer files for other tools, card.json.

    The folder is written atomically. card: dict for card.json (recipe, seed, seconds, ...); the sha256
    of every file is added last.
    """
    with files.artefact(target, card) as stage, quiet():
        half = assemble(*(_half(getattr(pipe, part)) for part in PARTS))
        half.save_pretrained(stage, safe_serialization=True)
        single_file.tidy(pipe, stage)


def _half(part):
    return copy.deepcopy(part).half() if isinstance(part, torch.nn.Module) else part


def to_single_file(pipe, path, dtype=torch.float16):
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
    with quiet():
        single_file.write(pipe, path, dtype)
    return path
