"""Hypernetwork files: the layout of AUTOMATIC1111's web interface, as safetensors.

There a hypernetwork is a pickle, {width: (state dict of the network for the keys, of the one for the values)}
and some settings. Here the names in the state dicts follow the width and k or v,

    128.k.linear.0.weight    128.k.linear.0.bias    128.k.linear.2.weight    ...    128.v.linear.2.bias

(`linear.1` is the activation), and the settings, under that interface's names, are in the file's metadata, as
JSON in one entry, edu_diffusion_hypernetwork:

    layer_structure    "[1, 2, 1]": the widths of the layers, in units of the width
    activation_func    "swish", which in both programs is torch.nn.Hardswish
    multiplier         "1.0": the strength it was trained with; attention reads x + multiplier * network(x)
    name, step         its name, and the number of training steps
"""

import json
import os
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from ..data import files
from ..errors import EduError
from . import settings, validate, weights
from .locate import hyper_file
from .sentences import few, in_words, reachable

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

ACTIVATIONS = {
    "linear": None,
    "relu": nn.ReLU,
    "leakyrelu": nn.LeakyReLU,
    "elu": nn.ELU,
    "swish": nn.Hardswish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}
NAME = re.compile(r"(\d+)\.([kv])\.linear\.(\d+)\.(weight|bias)")


def build_hyper(
    widths: Iterable[int], layers: Sequence[float] = (1, 2, 1), activation: str = "swish"
) -> dict[int, tuple[nn.Module, nn.Module]]:
    """Networks that have no effect yet, as steps.hypernetwork takes them: {width: (for the keys, for the values)}.

    widths: of the attention layers' input, such as 128 for the tiny text encoder. layers: widths of the layers in
    units of the width, the first and the last being 1. activation: one of ACTIVATIONS. Raises EduError for
    others.
    """
    if activation not in ACTIVATIONS or len(layers) < 2 or {layers[0], layers[-1]} != {1}:
        raise EduError(
            f"A hypernetwork with the layers {layers} and the activation {activation!r} cannot be built: "
            f"layers must begin and end with 1, the activation be one of {', '.join(ACTIVATIONS)}."
        )
    return {width: (network(width, layers, activation), network(width, layers, activation)) for width in widths}


def network(width, layers, activation):
    """A network from width to width whose last layer is zero."""
    sizes, parts = [int(width * n) for n in layers], []
    for one, other in zip(sizes, sizes[1:]):
        parts += [nn.Linear(one, other), *([ACTIVATIONS[activation]()] if ACTIVATIONS[activation] else [])]
    parts = parts[:-1] if ACTIVATIONS[activation] else parts  # no activation after the last layer
    nn.init.zeros_(parts[-1].weight)
    nn.init.zeros_(parts[-1].bias)
    return nn.Sequential(*parts)


def save_hyper(
    networks: dict[int, tuple[nn.Module, nn.Module]],
    path: str | os.PathLike,
    name: str = "hypernetwork",
    step: int = 0,
    layers: Sequence[float] = (1, 2, 1),
    activation: str = "swish",
    multiplier: float = 1.0,
) -> None:
    """Write networks to one .safetensors file, in half precision."""
    import safetensors.torch

    tensors = {name: value.detach().cpu().half().contiguous() for name, value in named(networks).items()}
    weights.refuse_infinite("The hypernetwork", tensors)
    facts = {
        "layer_structure": json.dumps(list(layers)),
        "activation_func": activation,
        "multiplier": str(multiplier),
        "name": name,
        "step": str(step),
    }
    files.write_bytes(path, safetensors.torch.save(tensors, {"edu_diffusion_hypernetwork": json.dumps(facts)}))


@reachable()
def load_hyper(source: str | os.PathLike, pipe: "StableDiffusionPipeline | None" = None) -> dict[int, tuple[nn.Module, nn.Module]]:
    """The networks in a file, or in a folder with hypernetwork.safetensors in it: {width: (keys, values)}.

    pipe: the pipeline to use them in, to refuse networks that do not fit it; they are moved to its device.
    Raises EduError for a file that is no hypernetwork.
    """
    path = hyper_file(source)
    facts, tensors = contents(path)
    widths = sorted({int(key.partition(".")[0]) for key in tensors})
    recipe = (widths, facts["layer_structure"], facts["activation_func"])
    with settings.blank(path, held := {key: tuple(value.shape) for key, value in tensors.items()}):
        blank = build_hyper(*recipe)  # compared before memory is taken for what the settings say
    validate.tensors(path, {name: tuple(value.shape) for name, value in named(blank).items()}, held)
    networks = build_hyper(*recipe)
    for name, value in named(networks).items():
        value.copy_(tensors[name])
    return networks if pipe is None else used(path, networks, pipe)


def named(networks):
    """{name in a file: tensor} of networks; the tensors are the networks' own."""
    return {
        f"{width}.{kind}.linear.{key}": value
        for width, pair in networks.items()
        for kind, part in zip("kv", pair)
        for key, value in part.state_dict().items()
    }


def contents(path):
    """The settings and tensors of a file. Raises EduError when it is not a hypernetwork's."""
    strange = [name for name in weights.header(path) if not NAME.fullmatch(name)]
    with weights.opened(path) as file:
        text = weights.metadata(path).get("edu_diffusion_hypernetwork")
        if strange or text is None:
            raise EduError(f"{path} is not a hypernetwork: it holds {few(strange) or 'no settings'}.")
        with in_words(path):
            facts = json.loads(text)
            facts["layer_structure"] = tuple(json.loads(facts["layer_structure"]))
            facts["activation_func"] = str(facts["activation_func"])
        return facts, {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118


def used(path, networks, pipe):
    """The networks on the pipeline's device. Raises EduError when none has the width of its text embeddings."""
    width = pipe.unet.config.cross_attention_dim
    if width not in networks:
        raise EduError(
            f"{path} does not fit: it transforms text embeddings of width {', '.join(map(str, networks))}, and "
            f"this pipeline's have width {width}; it was made for another model."
        )
    for pair in networks.values():
        for part in pair:
            part.to(pipe.device, torch.float32).requires_grad_(False).eval()
    return networks
