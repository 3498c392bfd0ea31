"""The tiny Stable Diffusion: building, loading, validating and saving it.

locate.py        from a name to a path: shipped names, folders, files and hub ids
build.py         configurations of library classes
checkpoint.py    load from a name, folder, file or hub id; save
hub.py           models from the hub, or from its local cache
validate.py      validate files, with clear error messages
settings.py      read configurations, and bound the numbers in them
weights.py       weight files: where they are, and what is in them
kinds.py         what a file is, by the names of its tensors
sentences.py     one sentence for whatever a library raises
single_file.py   one .safetensors file with the original key names: read and write
original.py      those names
openclip.py      those of OpenCLIP's text encoders, in Stable Diffusion 2 and XL
places.py        where in such a file each tensor of the library's models is
conversion.py    between folder and file, in full and half precision; from a pickle that imports nothing strange
merge.py         the U-Nets of several pipelines, by a rule
canary.py        a pickle whose code runs, and the readers that refuse it
clip.py          CLIP with both encoders
vocabulary.py    extend a tokenizer, and the embedding table of its text encoder
lora.py          load a LoRA into a pipeline
lora_names.py    the names of its tensors
lora_scale.py    its scale, alpha / rank
hypernetwork.py  hypernetworks: build, load, save
control.py       ControlNets: build, load, save
quantize.py      a U-Net whose weights are stored in fewer bits
planning.py      how much memory a picture takes, predicted without allocating it
activations.py   the activations of one part, counted on fake tensors
fit.py           what would make it fit, at what cost; out of memory as one sentence
limit.py         less memory for a while, to try out what happens then
live.py          count the bytes of all tensors that are alive
published.py     the configurations of Stable Diffusion 1.5, 2, XL and XL Turbo
random_weights.py  pipelines of their topology, with small widths and random weights
architectures.py what tells one model from another: parameters of each part, sizes, conventions
sdxl.py          Stable Diffusion XL from a folder
device.py        cuda, mps or cpu
prompts.py       the school switch, in every pipeline
silence.py       keep the libraries from printing what this package reports itself
"""

from .architectures import Architecture, architecture
from .build import PARTS, TOKENS, WIDTH, assemble, build_clip, build_scheduler, build_tokenizer, build_unet, build_vae
from .canary import pickle_readers
from .checkpoint import load, save, to_single_file
from .clip import load_clip
from .control import build_controlnet, control_card, load_control, save_control
from .conversion import convert, precision
from .device import autocast, hardware, pick_device
from .fit import Option, advice, memory_guard, options
from .hypernetwork import build_hyper, load_hyper, save_hyper
from .limit import memory_limit
from .live import Live
from .locate import path_of
from .lora import load_lora
from .merge import merged
from .planning import Plan, plan
from .published import PUBLISHED, SCHEDULERS
from .quantize import load_quantized, quantize_unet, quantized_bytes, save_quantized
from .random_weights import narrow
from .silence import quiet
from .vocabulary import grow_text_model, grow_tokenizer

__all__ = [
    "PARTS",
    "TOKENS",
    "WIDTH",
    "assemble",
    "autocast",
    "build_clip",
    "build_scheduler",
    "build_tokenizer",
    "build_unet",
    "build_vae",
    "grow_text_model",
    "grow_tokenizer",
    "hardware",
    "load",
    "load_clip",
    "path_of",
    "pick_device",
    "quiet",
    "save",
    "to_single_file",
    "convert",
    "merged",
    "pickle_readers",
    "precision",
    "Live",
    "Option",
    "Architecture",
    "PUBLISHED",
    "Plan",
    "SCHEDULERS",
    "advice",
    "architecture",
    "memory_guard",
    "memory_limit",
    "narrow",
    "options",
    "plan",
    "build_hyper",
    "load_hyper",
    "load_lora",
    "save_hyper",
    "build_controlnet",
    "control_card",
    "load_control",
    "save_control",
    "load_quantized",
    "quantize_unet",
    "quantized_bytes",
    "save_quantized",
]
