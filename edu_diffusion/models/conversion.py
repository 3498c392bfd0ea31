"""Convert a model between a diffusers folder and one file with the original key names, in full or in half precision."""

import contextlib
import os
import pathlib
import tempfile

import torch

from ..data import files, layout, pickles
from ..errors import EduError
from .checkpoint import load, save, to_single_file
from .locate import as_path, path_of
from .sentences import in_words, reachable
from .weights import weight_files

FULL = {"F32", "F64", "BF16"}  # of the dtypes in headers: these lose something in float16


@reachable()
def convert(
    source: str | os.PathLike, target: str | os.PathLike, dtype: torch.dtype | None = None, config: str | os.PathLike | None = None
) -> pathlib.Path:
    """Write a model once more, in the form that the target's name says; returns its path.

    source: anything that load() takes; or a pickle (.ckpt) that imports nothing but what weights need, see data/pickles.py.
    target: a name with .safetensors for one file with the original key names, any other for a folder that diffusers opens;
    nothing that exists is replaced. dtype: torch.float16 or torch.float32; None: the source's own, see precision().
    config: for a file without its configuration, as in load(). Half and full precision draw slightly different images; a
    model that is in half precision draws exactly the same ones after any conversion.
    """
    target = free(target)
    with unpickled(source) as path:
        dtype = dtype or precision(path)
        pipe = load(path, "cpu", dtype, config=config)
        if target.suffix == ".safetensors":
            return to_single_file(pipe, target, dtype)
        save(pipe, target, {"converted_from": pathlib.Path(source).name, "precision": str(dtype).removeprefix("torch.")}, dtype)
    return target


def precision(source: str | os.PathLike) -> torch.dtype:
    """torch.float16 for a model whose weights fit it without loss, else torch.float32. source: as in load()."""
    path = as_path(source)
    root = path if path.is_file() else path_of(source)
    found = [root] if root.is_file() else [file for part in ("unet", "vae", "text_encoder") for file in weight_files(root, part)]
    dtypes = {one.dtype for file in found if file.is_file() for one in layout.read(file).tensors.values()}
    return torch.float32 if dtypes & FULL else torch.float16


def free(target):
    """The target as a path. Raises EduError when there is something already, or its name is a pickle's."""
    path = as_path(target)
    if path.suffix in pickles.PICKLES:
        raise EduError(
            f"{path} would be a pickle, which can run arbitrary code when it is opened: name a .safetensors file or a folder."
        )
    if path.is_file() or path.is_dir() and any(path.iterdir()):
        raise EduError(f"{path} exists already and is not replaced: choose another name, or move it away first.")
    files.refuse_foreign(path)
    return path


@contextlib.contextmanager
def unpickled(source):
    """The path of a model without a pickle: the source's own, or that of a temporary .safetensors file with the same tensors."""
    path = as_path(source)
    if path.suffix not in pickles.PICKLES or not path.is_file():
        yield source
        return
    tensors = from_pickle(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, path.name).with_suffix(".safetensors")
        import safetensors.torch

        safetensors.torch.save_file(tensors, copy)
        try:
            yield copy
        except EduError as error:  # which names the temporary file
            raise EduError(str(error).replace(str(copy), str(path))) from error


def from_pickle(path: str | os.PathLike) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint that is a pickle: {name: tensor}.

    Its instructions are read first: for any import that weights do not need EduError is raised, and it stays closed. Then
    torch opens it with weights_only=True, which keeps to a list of its own.
    """
    if pickles.not_allowed(path):
        raise EduError(pickles.verdict(path))
    with in_words(path):
        found = torch.load(path, map_location="cpu", weights_only=True)
    found = found.get("state_dict", found) if isinstance(found, dict) else {}
    tensors = found if isinstance(found, dict) else {}
    tensors = {name: value.detach().clone().contiguous() for name, value in tensors.items() if torch.is_tensor(value)}
    if not tensors:
        raise EduError(f"{path} holds no tensors by name, so it is no checkpoint of a model: give another file.")
    return tensors
