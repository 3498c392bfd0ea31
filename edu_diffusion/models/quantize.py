"""A U-Net whose weights are stored in fewer bits: in memory, and in one .safetensors file.

The layers stay linear layers and convolutions of torch; only their weight is no longer a parameter. It is dequantized for each
call from two buffers: `codes`, the packed bytes, and `scales`. Such a U-Net draws; it cannot be trained.

The file holds these buffers, everything else in half precision, and in its metadata, as JSON in the entry
edu_diffusion_quantized, the configuration of the U-Net and the format of each packed layer. A format is one of steps.FORMATS;
they arrive as arguments, because this room does not import steps/.
"""

import copy
import json
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ..data import files
from ..errors import EduError
from . import validate, weights
from .locate import as_path
from .sentences import few, in_words, reachable
from .settings import blank

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

ENTRY = "edu_diffusion_quantized"


class PackedWeight:
    """Of a layer: its weight, dequantized each time that it is read."""

    format: Any
    shape: torch.Size
    codes: torch.Tensor
    scales: torch.Tensor
    like: torch.Tensor  # empty; its dtype is that of the layer's inputs

    @property
    def weight(self) -> torch.Tensor:
        """The weight, in the dtype of the layer's inputs."""
        return self.format.dequantize(self.codes, self.scales, self.shape).to(self.like.dtype)


class PackedLinear(PackedWeight, nn.Linear):
    """A linear layer with a packed weight."""


class PackedConv2d(PackedWeight, nn.Conv2d):
    """A convolution with a packed weight."""


PACKED = {nn.Linear: PackedLinear, nn.Conv2d: PackedConv2d}


def quantize_unet(unet: "UNet2DConditionModel", format: Any, keep: Iterable[str | type] = ()) -> "UNet2DConditionModel":
    """A copy of a U-Net whose linear layers and convolutions store their weight in a format.

    format: such as steps.FORMATS["nf4"]. keep: what stays as it is: layers or blocks by their name or a part of it
    ("conv_in", "time_embedding", "down_blocks.0", "to_v"), or classes, such as torch.nn.Conv2d for all convolutions.
    Layers that are packed already stay, so that a second call can give the rest another format. Raises EduError for a
    name or class that no layer has, and for a format that is none.
    """
    if not (callable(getattr(format, "quantize", None)) and callable(getattr(format, "dequantize", None))):
        raise EduError(f'The format {format!r} is not possible: use one of steps.FORMATS, such as steps.FORMATS["nf4"].')
    kept = [keep] if isinstance(keep, str | type) else list(keep)
    unet = copy.deepcopy(unet)
    found = layers(unet)
    unknown = [str(k) for k in kept if not any(matches(k, name, layer) for name, layer in found.items())]
    if unknown:
        raise EduError(f"keep= names {few(unknown)}, which no layer to quantize has: use names such as 'conv_in' or 'to_v'.")
    for name, layer in found.items():
        if type(layer) in PACKED and not any(matches(k, name, layer) for k in kept):
            pack(layer, format)
    return unet.requires_grad_(False)


def layers(unet):
    """{name: layer} of the linear layers and convolutions, packed or not."""
    return {name: part for name, part in unet.named_modules() if isinstance(part, tuple(PACKED))}


def matches(kept, name, layer):
    """Whether an entry of keep= means this layer: its class, or consecutive parts of its name."""
    return isinstance(layer, kept) if isinstance(kept, type) else f".{kept}." in f".{name}."


def pack(layer, format):
    """Replace a layer's weight by its codes and scales."""
    weight = layer.weight.detach()
    prepare(layer, format)
    layer.codes, layer.scales, *_ = format.quantize(weight)


def prepare(layer, format):
    """Make a layer a packed one whose codes and scales are still to come."""
    weight = layer.weight.detach()
    del layer.weight
    layer.__class__ = PACKED[type(layer)]
    layer.format, layer.shape = format, weight.shape
    layer.register_buffer("codes", None)
    layer.register_buffer("scales", None)
    layer.register_buffer("like", weight.new_empty(0), persistent=False)  # follows .to(dtype), which codes must not


def quantized_bytes(unet: nn.Module, disk: bool = False) -> dict[str, int]:
    """The bytes of a U-Net in memory: {"codes", "scales", "kept"}; kept are all other parameters, biases among them.

    disk: those in the file that save_quantized writes, where what is kept is in half precision.
    """
    found = {"codes": 0, "scales": 0, "kept": 0}
    packed = {name for name, part in unet.named_modules() if isinstance(part, PackedWeight)}
    for name, tensor in unet.state_dict().items():
        tensor = on_disk(tensor) if disk else tensor
        layer, _, last = name.rpartition(".")
        found[last if layer in packed and last in found else "kept"] += tensor.numel() * tensor.element_size()
    return found


def save_quantized(unet: "UNet2DConditionModel", path: str | os.PathLike) -> None:
    """Write a quantized U-Net to one .safetensors file; what is not packed is written in half precision.

    The file is written under a temporary name, then renamed. Raises EduError for a U-Net without packed layers, or with
    numbers that half precision cannot hold.
    """
    import safetensors.torch

    formats = {name: part.format.name for name, part in unet.named_modules() if isinstance(part, PackedWeight)}
    if not formats:
        raise EduError("This U-Net has no packed layers: use quantize_unet first, or save the pipeline with models.save.")
    tensors = {name: on_disk(tensor) for name, tensor in unet.state_dict().items()}
    weights.refuse_infinite("The quantized U-Net", tensors)
    config = {name: value for name, value in unet.config.items() if not name.startswith("_")}
    facts = json.dumps({"formats": formats, "config": config})
    files.write_bytes(path, safetensors.torch.save(tensors, {ENTRY: facts}))


def on_disk(tensor):
    """A tensor as it is written: numbers in half precision, packed bytes as they are."""
    tensor = tensor.detach().cpu()
    return (tensor.half() if tensor.is_floating_point() else tensor).contiguous()


@reachable()
def load_quantized(path: str | os.PathLike, formats: Mapping[str, Any]) -> "UNet2DConditionModel":
    """The quantized U-Net in a file of save_quantized, on the CPU; what is not packed is in single precision.

    formats: steps.FORMATS. Use it as pipe.unet = load_quantized(...). Raises EduError for a file that is not complete, is not a
    quantized U-Net, or has a format that is not among `formats`.
    """
    from diffusers import UNet2DConditionModel

    facts, tensors = contents(as_path(path), formats)
    with blank(path, {name: tuple(tensor.shape) for name, tensor in tensors.items()}):
        unet = UNet2DConditionModel.from_config(facts["config"])
        empty(unet, facts["formats"], formats)
    wanted = {name: tuple(tensor.shape) for name, tensor in unet.state_dict().items()}
    validate.tensors(path, wanted, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    wrong = [name for name, tensor in unet.state_dict().items() if not same_kind(tensor, tensors[name])]
    if wrong:
        raise EduError(f"{path} is not a quantized U-Net: {few(wrong)} holds another kind of numbers; save it again.")
    unet.load_state_dict({name: in_memory(name, tensor) for name, tensor in tensors.items()}, assign=True)
    for part in unet.modules():
        if isinstance(part, PackedWeight):
            part.like = torch.empty(0)
    return unet.requires_grad_(False).eval()


def same_kind(wanted, found):
    """Whether a file has bytes where bytes belong, and floating-point numbers elsewhere."""
    return found.dtype == torch.uint8 if wanted.dtype == torch.uint8 else found.is_floating_point()


def contents(path, formats):
    """The facts and tensors of a file. Raises EduError when it is not a quantized U-Net's."""
    import safetensors

    weights.header(path)
    with safetensors.safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(ENTRY)
        if text is None:
            raise EduError(f"{path} is not a quantized U-Net: it was not written by save_quantized; load it with models.load.")
        with in_words(path):
            facts = json.loads(text)
            unknown = sorted({str(name) for name in facts["formats"].values()} - set(formats))
        if unknown:
            raise EduError(f"{path} has weights in the format {few(unknown)}, which is not one of {', '.join(formats)}.")
        return facts, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def empty(unet, chosen, formats):
    """Make the layers of a U-Net without numbers packed ones with codes and scales of the right shapes. chosen: {name: format}."""
    found = layers(unet)
    for name, format in chosen.items():
        layer, format = found[name], formats[format]
        shape = layer.weight.shape
        prepare(layer, format)
        size = format.group or shape[1:].numel()
        scales = 0 if format.levels is None else -(-shape.numel() // size)
        layer.codes = torch.empty(-(-shape.numel() * format.bits // 8), dtype=torch.uint8)
        layer.scales = torch.empty(scales, dtype=torch.float16)


def in_memory(name, tensor):
    """A tensor as it is used: scales stay in half precision, the rest of the numbers is in single precision."""
    return tensor.float() if tensor.is_floating_point() and not name.endswith(".scales") else tensor
