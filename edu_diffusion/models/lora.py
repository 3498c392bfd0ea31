"""Adapters from files: load a LoRA into a pipeline, or refuse it with a clear message when it does not fit.

The library ignores mismatches silently: it skips layers that the pipeline does not have, and files that are
adapters of something else.
"""

import contextlib
import os
import re
import warnings
from typing import TYPE_CHECKING

from ..errors import EduError
from . import validate
from .locate import adapter_file
from .silence import quiet

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

DOWN = re.compile(r"(\.lora_A|\.lora\.down|_lora\.down|\.lora_linear_layer\.down)\.weight$")


def load_lora(
    pipe: "StableDiffusionPipeline", source: str | os.PathLike, name: str = "lora", weight: float = 1.0,
) -> "StableDiffusionPipeline":
    """Load a LoRA into a pipeline, in place; adapters that are loaded already stay.

    source: a file in the library's or in Kohya's format, a folder with one, or the name of a shipped one.
    name: its name for pipe.set_adapters, which sets the weights of several. weight: 0 is the base, bit
    for bit. Returns the pipe. Raises EduError for a file that is no LoRA, or a LoRA for a model with other layers.
    """
    path = adapter_file(source)
    if name in {other for names in pipe.get_list_adapters().values() for other in names}:
        raise EduError(f"This pipeline already has an adapter {name!r}: choose another name=.")
    with quiet(), validate.in_words(path):
        state, *_ = pipe.lora_state_dict(str(path.parent), weight_name=path.name, return_lora_metadata=True)
    fitting(path, pipe, state)
    weights = present(pipe)
    with quiet(), validate.in_words(path), second():
        pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)
    weights[name] = float(weight)
    pipe.set_adapters(list(weights), list(weights.values()))
    return pipe


@contextlib.contextmanager
def second():
    """Suppress peft's warning about an existing adapter: loading several is intended."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield


def fitting(path, pipe, state):
    """Raise EduError unless every pair of low-rank matrices in a file belongs to a layer of the pipeline."""
    pairs = {name: name.replace("lora_A", "lora_B").replace("down.weight", "up.weight")
             for name in state if DOWN.search(name)}
    strange = sorted(set(state) - {*pairs, *pairs.values()})
    if strange or not pairs:
        raise EduError(f"{path} is not a LoRA for Stable Diffusion: it holds {validate.few(strange) or 'nothing'}.")
    for down, up in pairs.items():
        layer, (A, B) = layer_of(pipe, down), (state[down], state.get(up))
        if layer is None:
            raise EduError(f"{path} does not fit: it changes {DOWN.sub('', down)}, which this pipeline does not "
                           "have; it was made for another model.")
        if B is None or (len(B), *A.shape[1:]) != tuple(layer.weight.shape) or len(A) != B.shape[1]:
            raise EduError(f"{path} does not fit: for {DOWN.sub('', down)} it has {tuple(A.shape)} and "
                           f"{'nothing' if B is None else tuple(B.shape)}, and the weight is {tuple(layer.weight.shape)}; "
                           "it was made for another model.")


def layer_of(pipe, name):
    """The pipeline's layer that an adapter's matrix belongs to; None if there is none."""
    part, _, inside = re.sub(r"\.processor\.(to_\w+)_lora\.down", r".\1.lora.down", name).partition(".")
    inside = re.sub(r"\.to_out\.lora", ".to_out.0.lora", inside)
    try:
        layer = getattr(pipe, part).get_submodule(DOWN.sub("", inside))
    except AttributeError:
        return None
    layer = getattr(layer, "base_layer", layer)
    return layer if hasattr(layer, "weight") else None


def present(pipe):
    """{name: weight} of the adapters that are active in the U-Net or text encoder."""
    weights = {}
    for part in (pipe.unet, pipe.text_encoder):
        for module in part.modules():
            for name in getattr(module, "scaling", None) and module.active_adapters or ():
                if name in module.scaling and name not in weights:
                    weights[name] = module.scaling[name] * module.r[name] / module.lora_alpha[name]
    return weights
