"""ControlNets: built as a copy of a U-Net, loaded from a name or folder, saved in the library's format."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..data import files
from ..errors import EduError
from . import settings, validate, weights
from .device import pick_device
from .locate import NETWORK, control_folder
from .sentences import in_words, reachable
from .silence import quiet

if TYPE_CHECKING:
    from diffusers import ControlNetModel, UNet2DConditionModel

WIDTHS = (16, 32, 64)  # channels of the condition's convolutions; each entry but the first halves the size: 64 x 64 -> 16 x 16


def build_controlnet(unet: "UNet2DConditionModel", widths: Sequence[int] = WIDTHS) -> "ControlNetModel":
    """A ControlNetModel that starts as a copy of a U-Net, and has no effect yet.

    widths: three entries for a VAE of factor 4, four for one of factor 8, as in Stable Diffusion 1.5. The library's
    default is four; with a smaller factor it fails only when it is called.
    """
    from diffusers import ControlNetModel

    with quiet():
        return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=tuple(widths))


@reachable()
def load_control(
    name: str | os.PathLike, device: str | torch.device | None = None, dtype: torch.dtype = torch.float32
) -> "ControlNetModel":
    """A ControlNetModel in evaluation mode. name: of a shipped one, such as "canny", or a folder.

    Raises EduError when there is none or it is incomplete. Whether it fits a pipeline is checked when it is used.
    """
    from diffusers import ControlNetModel

    root = control_folder(name)
    found = weights.header(root / NETWORK)
    validate.tensors(root, weights.shapes(blank_control(root, found)), found)
    with quiet(), in_words(root):
        net = ControlNetModel.from_pretrained(root, dtype=dtype, local_files_only=True, use_safetensors=True)
        return net.eval().to(pick_device(device))


def blank_control(root, held):
    """The ControlNetModel of a folder's configuration, with shapes but without numbers. held: {name: shape} of its weights."""
    from diffusers import ControlNetModel

    config = settings.read_json(root / "config.json")
    if config.get("_class_name") != "ControlNetModel":
        raise EduError(f"{root} holds a {config.get('_class_name')}; expected a ControlNetModel.")
    settings.numbers(root / "config.json", config, held)
    with settings.blank(root / "config.json", held):
        return ControlNetModel.from_config(ControlNetModel.load_config(root))


def control_card(name: str | os.PathLike) -> dict:
    """The content of a ControlNet's card.json, a dict. Raises EduError when there is none."""
    path = control_folder(name) / "card.json"
    if not path.is_file():
        raise EduError(f"{path.parent} has no card.json; only models trained by this package have one.")
    return settings.read_json(path)


def save_control(net: "ControlNetModel", target: str | os.PathLike, card: dict | None = None) -> None:
    """Write a folder that vanilla diffusers opens: fp16 weights, config.json and card.json.

    The folder is written atomically. card: dict for card.json; the sha256 of every file is added last.
    """
    from diffusers import ControlNetModel

    config = {name: value for name, value in net.config.items() if not name.startswith("_")}
    with files.staged(target, card) as stage, quiet():
        half = ControlNetModel.from_config(config)
        half.load_state_dict({key: value.detach().cpu() for key, value in net.state_dict().items()})
        weights.refuse_infinite("The ControlNet", half.half().state_dict())
        half.save_pretrained(stage, safe_serialization=True)
