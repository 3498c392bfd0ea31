"""Adapters from files: load a LoRA into a pipeline, or refuse it with a clear message when it does not fit.

The library ignores mismatches silently: it skips layers that the pipeline does not have, drops the magnitudes of a DoRA, and
opens files that are adapters of something else. Here every tensor of a file is read under its own name, see lora_names.py,
checked, and given to the library under the one name that it understands.
"""

import contextlib
import math
import numbers
import os
import warnings
from typing import TYPE_CHECKING

from ..errors import EduError
from .kinds import alone
from .locate import adapter_file
from .lora_names import layers_by_name, other_kind, split
from .lora_scale import scale, settings_of
from .sentences import few, in_words, reachable
from .silence import quiet
from .weights import header, opened

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

NAMES = {"unet": ("lora_A", "lora_B"), "text_encoder": ("lora_linear_layer.down", "lora_linear_layer.up")}  # the library's
ANOTHER = "it was made for another model: load it into a pipeline of that model"


@reachable()
def load_lora(
    pipe: "StableDiffusionPipeline", source: str | os.PathLike, name: str = "lora", weight: float = 1.0
) -> "StableDiffusionPipeline":
    """Load a LoRA into a pipeline, in place; adapters that are loaded already stay.

    source: a file in the library's, in peft's or in Kohya's format, for the U-Net, the text encoder or both; a folder
    with one; or the name of a shipped one. name: its name for pipe.set_adapters, which sets the weights of several.
    weight: 0 is the base, bit for bit. Returns the pipe. Raises EduError for a file that is no LoRA, or another kind of
    adapter, or a LoRA for a model with other layers.
    """
    path, strength = adapter_file(source), finite(weight)
    if name in {other for names in pipe.get_list_adapters().values() for other in names}:
        raise EduError(f"This pipeline already has an adapter {name!r}: choose another name=.")
    state, weights = in_library_names(path, pipe, read(path, pipe)), present(pipe)
    with quiet(), in_words(path), second(), whole(pipe, name):
        pipe.load_lora_weights(state, adapter_name=name)
    weights[name] = strength
    pipe.set_adapters(list(weights), list(weights.values()))
    return pipe


def finite(weight):
    """The weight as a float. Raises EduError for anything but a finite number."""
    if not isinstance(weight, numbers.Real) or not math.isfinite(weight):
        raise EduError(f"weight={weight!r} is not possible: give a finite number, such as 1, or 0 for the base.")
    return float(weight)


@contextlib.contextmanager
def second():
    """Suppress peft's warning about an existing adapter: loading several is intended."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield


@contextlib.contextmanager
def whole(pipe, name):
    """Remove an adapter again when loading it fails half-way, after the U-Net and before the text encoder."""
    try:
        yield
    except Exception:
        if any(name in names for names in pipe.get_list_adapters().values()):
            pipe.delete_adapters(name)
        if not any(pipe.get_list_adapters().values()):
            pipe.unload_lora_weights()
        raise


# ---------------------------------------------------------------- what is in the file


def read(path, pipe):
    """{(part, layer): {"name": in the file, "down": tensor, "up": tensor, "alpha": tensor}} of a file; not all need be there.

    Raises EduError for another kind of file, and for layers that the pipeline does not have.
    """
    names = header(path)
    refuse_others(path, names)
    with opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in names}
    table, found = layers_by_name(pipe), {}
    for name in names:
        layer, kind = split(name)
        if layer not in table:
            raise EduError(f"{path} does not fit: it changes {layer[:200]}, which this pipeline does not have; {ANOTHER}.")
        if kind in found.setdefault(table[layer], {"name": layer}):
            raise EduError(f"{path} has two tensors for {'.'.join(table[layer])}, in two formats: remove one of them.")
        found[table[layer]][kind] = tensors[name]
    return found


def refuse_others(path, names):
    """Raise EduError for a file that is not a LoRA. names: {name: shape} of its tensors."""
    if kind := other_kind(names):
        raise EduError(
            f"{path} is {kind}, which load_lora does not load: it loads LoRAs, whose effect is one product of two "
            "matrices per layer; ask for the same style trained as a LoRA."
        )
    strange = sorted(name for name in names if not split(name))
    if strange or not names:
        what = alone(names)
        if what and "adapter" not in what:
            raise EduError(f"{path} is not a LoRA: it is {what}.")
        raise EduError(f"{path} is not a LoRA for Stable Diffusion: it holds {few(strange) or 'nothing'}; give another file.")


# ---------------------------------------------------------------- what the library gets


def in_library_names(path, pipe, found):
    """{name: tensor} of a LoRA for pipe.load_lora_weights, with its scale in the tensors: alpha is then the rank everywhere."""
    state, settings = {}, settings_of(path, header(path))
    for (part, layer), tensors in found.items():
        target = getattr(pipe, part).get_submodule(layer)
        weight = getattr(target, "base_layer", target).weight
        down, up = fitting(path, weight, tensors)
        with in_words(path):
            factor = scale(settings.get(part, {}), layer, len(down), tensors.get("alpha"))
        up = up if factor == 1 else up.float() * factor
        for kind, value in zip(NAMES[part], (down, up)):
            state[f"{part}.{layer}.{kind}.weight"] = value
    return state


def fitting(path, weight, tensors):
    """The matrices for a layer's weight, (rank, in) and (out, rank), as convolutions for those. Raises EduError unless they fit."""
    name, down, up = tensors["name"], tensors.get("down"), tensors.get("up")
    if down is not None and up is not None:
        down, up = (like(value, weight) for value in (down, up))
        if up.ndim == down.ndim == weight.ndim and (*up.shape, *down.shape) == expected(weight, len(down)):
            if not (down.isfinite().all() and up.isfinite().all()):
                raise EduError(f"{path} is damaged: for {name} it holds numbers that are not finite; copy or download it again.")
            return down, up
    shapes = " and ".join("nothing" if value is None else str(tuple(value.shape)) for value in (down, up))
    raise EduError(f"{path} does not fit: for {name} it has {shapes}, and the weight is {tuple(weight.shape)}; {ANOTHER}.")


def expected(weight, rank):
    """The sizes of both matrices, the one of shape (out, rank) first; the kernel of a convolution is in the other."""
    return (len(weight), max(rank, 1), *[1] * (weight.ndim - 2), rank, *weight.shape[1:])


def like(value, weight):
    """A matrix as a 1 x 1 convolution, or the reverse: files have both for the same layer."""
    if value.ndim == 2 and weight.ndim == 4:
        return value[:, :, None, None]
    return value[:, :, 0, 0] if weight.ndim == 2 and value.shape[2:] == (1, 1) else value


def present(pipe):
    """{name: weight} of the adapters that are active in the U-Net or text encoder."""
    weights = {}
    for part in (pipe.unet, pipe.text_encoder):
        for module in part.modules():
            for name in getattr(module, "scaling", None) and module.active_adapters or ():
                if name in module.scaling and name not in weights:
                    weights[name] = module.scaling[name] * module.r[name] / module.lora_alpha[name]
    return weights
