"""The tiny Stable Diffusion: building, loading, validating and saving it.

    build.py         configurations of library classes
    checkpoint.py    load from a name, folder, file or hub id; save
    check.py         validate files, with clear error messages
    single_file.py   one .safetensors file with the original key names: read and write
    clip.py          CLIP with both encoders
    vocabulary.py    extend a tokenizer, and the embedding table of its text encoder
    adapters.py      load a LoRA into a pipeline
    hyper.py         hypernetworks: build, load, save
    control.py       ControlNets: build, load, save
    device.py        cuda, mps or cpu
"""

from .adapters import load_lora
from .build import (
    PARTS, TOKENS, WIDTH, assemble, build_clip, build_scheduler, build_tokenizer, build_unet, build_vae,
)
from .checkpoint import load, locate, save, to_single_file
from .clip import load_clip
from .control import build_controlnet, control_card, load_control, save_control
from .device import autocast, hardware, pick_device
from .hyper import build_hyper, load_hyper, save_hyper
from .silence import quiet
from .vocabulary import grow_text_model, grow_tokenizer

__all__ = [
    "PARTS", "TOKENS", "WIDTH", "assemble", "autocast", "build_clip", "build_scheduler", "build_tokenizer",
    "build_unet", "build_vae", "grow_text_model", "grow_tokenizer", "hardware", "load", "load_clip", "locate", "pick_device",
    "quiet", "save", "to_single_file", "build_hyper", "load_hyper", "load_lora", "save_hyper",
    "build_controlnet", "control_card", "load_control", "save_control",
]
