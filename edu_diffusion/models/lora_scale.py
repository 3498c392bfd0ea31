"""The scale of a LoRA, alpha / rank, which files keep in three places: as tensors, in their metadata, in peft's settings."""

import json
import math
import re

from ..errors import EduError
from .lora_names import PEFT
from .sentences import in_words
from .settings import read_json
from .weights import metadata

METADATA, PEFT_SETTINGS = "lora_adapter_metadata", "adapter_config.json"  # diffusers' entry in a file, peft's file beside it
CHANGING = ("pissa", "olora", "corda")  # ways to begin a LoRA that also change the weights of the model


def settings_of(path, names):
    """{part: settings under peft's names} for a LoRA's file; {} for one that has none. names: of its tensors.

    Raises EduError when they are needed and not there, or are not a LoRA's.
    """
    if any(name.startswith(PEFT) for name in names):
        return dict.fromkeys(("unet", "text_encoder"), checked(path, peft_settings(path)))
    with in_words(path):
        found = json.loads(metadata(path).get(METADATA) or "{}").items()
    parts = {
        part: {name.removeprefix(f"{part}."): value for name, value in found if name.startswith(f"{part}.")}
        for part in ("unet", "text_encoder")
    }
    return {part: checked(path, settings) for part, settings in parts.items()}


def peft_settings(path):
    """The settings beside a file of peft's, without which its scale is unknown. Raises EduError when there are none."""
    beside = path.with_name(PEFT_SETTINGS)
    if not beside.is_file():
        raise EduError(f"{path} is peft's, but {PEFT_SETTINGS} is not beside it, which holds its scale: copy the whole folder.")
    return read_json(beside)


def checked(path, settings):
    """The settings, unless they say that the file is more than a LoRA."""
    kind, start = settings.get("peft_type", "LORA"), str(settings.get("init_lora_weights")).lower()
    if kind not in ("LORA", None) or settings.get("use_dora"):
        kind = "DoRA" if settings.get("use_dora") else kind
        raise EduError(
            f"{path} is an adapter of the kind {kind}, which load_lora does not load: it loads LoRAs only; ask for the "
            "same style trained as a LoRA."
        )
    if start.startswith(CHANGING):
        raise EduError(
            f"{path} began as {start}, which changes the model's weights as well, and the file does not hold them: "
            "convert it to a LoRA with peft first (save_pretrained with path_initial_model_for_weight_conversion)."
        )
    return settings


def scale(settings, layer, rank, alpha=None):
    """The factor of a layer's product of matrices. alpha: the tensor in the file, if any, else the settings', else the rank."""
    if alpha is None:
        patterns = (settings.get("alpha_pattern") or {}).items()
        own = next((value for pattern, value in patterns if matches(pattern, layer)), settings.get("lora_alpha"))
        alpha = rank if own is None else own
    value = float(alpha) / (math.sqrt(rank) if settings.get("use_rslora") else rank)
    if not math.isfinite(value):
        raise ValueError(f"its scale for {layer} is {value}, but must be finite")
    return value


def matches(pattern, layer):
    """Whether a pattern of peft's settings means a layer; the text encoder's names had one level more."""
    return any(re.match(rf"(.*\.)?({pattern})$", name) for name in (layer, f"text_model.{layer}"))
