"""From a name to a path: the one place that knows shipped names, folders, files and hub ids."""

import os
import pathlib
import re

from ..data import checksums, files
from ..errors import EduError
from . import validate
from .hub import from_hub
from .sentences import few
from .settings import read_json

MODEL = "model.safetensors"  # the libraries' name for the weights of a CLIP,
NETWORK = "diffusion_pytorch_model.safetensors"  # of any network of diffusers,
LORA = "pytorch_lora_weights.safetensors"  # and of a LoRA
HYPERNETWORK = "hypernetwork.safetensors"  # they have no hypernetworks: our own


def there(name):
    """The path that a name stands for: an existing one, else the folder of a shipped checkpoint; None without either."""
    path, own = as_path(name), files.PACKAGE / "checkpoints" / str(name)
    files.bring_back(path)
    return next((p for p in (path, own) if p.exists()), None)


def as_path(name):
    """A name as a path. Raises EduError for what cannot be one, such as None."""
    if not isinstance(name, (str, os.PathLike)):
        raise EduError(f"{name!r} is not a name: give the name of a shipped model, or the path of a folder or file.")
    return pathlib.Path(name)


def shipped(pattern):
    """The files among the shipped checkpoints that match a pattern such as "*/config.json", sorted."""
    return sorted((files.PACKAGE / "checkpoints").glob(pattern))


# ---------------------------------------------------------------- what kind it must be


def path_of(name: str | os.PathLike, online: bool = False) -> pathlib.Path:
    """The folder of a shipped checkpoint's name, a path or a hub id (see load).

    Raises EduError when there is none.
    """
    path = there(name)
    if path and path.is_dir():
        checksums.check(path)
        return path
    if path:
        raise EduError(f"{name} is a file; expected a folder.")
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", str(name)):
        return from_hub(str(name), online)
    names = [p.parent.name for p in shipped("*/model_index.json")]
    raise EduError(
        f"There is no model {str(name)!r}: give a folder, a .safetensors file, a hub id such as "
        f"'owner/name', or one of the shipped checkpoints {names}."
    )


def clip_folders(name):
    """The folders of a CLIP and its tokenizer, usually the same. Raises EduError when there is none or files are missing."""
    root = words = there(name) or as_path(name)
    checksums.check(root)
    if (root / "clip").is_dir():  # as the recipe writes it
        root, words = root / "clip", root / "tokenizer"
    if not (root / "config.json").is_file():
        raise EduError(
            f"There is no CLIP {str(name)!r}: give a folder with config.json, {MODEL} and the tokenizer's files, "
            "or the shipped one, 'clip'."
        )
    if read_json(root / "config.json").get("model_type") != "clip":
        raise EduError(f"{root} holds another model; expected the folder of a CLIPModel.")
    lacking = [str(file) for file in (root / MODEL, *validate.word_files(words)) if not file.is_file()]
    if lacking:
        raise EduError(f"{few(lacking)} is missing: copy or download it again.")
    return root, words


def control_folder(name):
    """The folder of a ControlNet. Raises EduError when there is none."""
    root = there(name) or pathlib.Path(name)
    if (root / "model_index.json").exists():
        raise EduError(f"{root} holds a whole pipeline; expected the folder of a ControlNet.")
    if not (root / "config.json").is_file():
        names = [p.parent.name for p in shipped("*/config.json") if is_control(p)]
        raise EduError(
            f"There is no ControlNet {str(name)!r}: give a folder with config.json and {NETWORK}, or one of "
            f"the shipped ones {names}."
        )
    if not (root / NETWORK).is_file():
        pickles = [p for p in root.iterdir() if p.suffix in validate.PICKLES]
        raise EduError(f"{root} lacks {NETWORK}" + (f"; {pickles[0].name} is {validate.why_not(pickles[0])}." if pickles else "."))
    checksums.check(root)
    return root


def is_control(path):
    """Whether a config.json is a ControlNet's."""
    return read_json(path).get("_class_name") == "ControlNetModel"


def adapter_file(source):
    """The path of an adapter's .safetensors file. Raises EduError when there is none."""
    path = there(source)
    found = [path or as_path(source)]
    if found[0].is_dir():
        found = sorted(p for p in found[0].iterdir() if p.suffix == ".safetensors")
    own = [p for p in found if p.name == LORA] or found
    if len(own) != 1 or not own[0].is_file():
        raise EduError(f"{source} is not an adapter: give one .safetensors file, or a folder with one in it.")
    if own[0].suffix != ".safetensors":
        why = validate.why_not(own[0]) if own[0].suffix in validate.PICKLES else "not a .safetensors file, but must be one"
        raise EduError(f"{own[0]} is {why}.")
    checksums.check(own[0].parent)
    validate.header(own[0])
    return own[0]


def hyper_file(source):
    """The path of a hypernetwork's .safetensors file. Raises EduError when there is none."""
    path = as_path(source)
    path = path / HYPERNETWORK if path.is_dir() else path
    if path.suffix != ".safetensors" or not path.is_file():
        why = validate.why_not(path) if path.suffix in validate.PICKLES else "not a hypernetwork's .safetensors file"
        raise EduError(f"{path} is {why}.")
    checksums.check(path.parent)
    return path
