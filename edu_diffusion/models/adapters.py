"""Adapters from files: a LoRA is put into a pipeline, or refused in one sentence when it does not fit.

The library passes over much in silence: layers that the pipeline does not have are left out, and so is a file
that is an adapter of something else.
"""

import contextlib
import pathlib
import re
import warnings

from ..data import files
from ..errors import EduError
from . import check
from .silence import quiet

FILE = "pytorch_lora_weights.safetensors"  # the library's name for it
DOWN = re.compile(r"(\.lora_A|\.lora\.down|_lora\.down|\.lora_linear_layer\.down)\.weight$")


def load_lora(pipe, source, name="lora", weight=1.0):
    """Put a LoRA beside the weights of a pipeline, in place; the adapters that are in it stay as they are.

    source: a file in the library's or in Kohya's format, a folder with one, or the name of a shipped one.
    name: to call it by in pipe.set_adapters, which sets the weights of several. weight: 0 is the base, bit
    for bit. Returns the pipe. Raises EduError for what is no LoRA, or one of a model with other layers.
    """
    path = adapter_file(source)
    if name in {other for names in pipe.get_list_adapters().values() for other in names}:
        raise EduError(f"There is an adapter {name!r} in this pipeline already: choose another name=.")
    with quiet(), check.in_words(path):
        state, *_ = pipe.lora_state_dict(str(path.parent), weight_name=path.name, return_lora_metadata=True)
    fitting(path, pipe, state)
    weights = present(pipe)
    with quiet(), check.in_words(path), second():
        pipe.load_lora_weights(str(path.parent), weight_name=path.name, adapter_name=name)
    weights[name] = float(weight)
    pipe.set_adapters(list(weights), list(weights.values()))
    return pipe


@contextlib.contextmanager
def second():
    """No warning of peft's that there is an adapter already: two at once are meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config`")
        yield


def adapter_file(source):
    """The path of an adapter's .safetensors file. Raises EduError when there is none."""
    path, shipped = pathlib.Path(source), files.PACKAGE / "checkpoints" / str(source)
    path = path if path.exists() else shipped
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    own = [p for p in found if p.name == FILE] or found
    if len(own) != 1 or not own[0].is_file():
        raise EduError(f"{source} is not an adapter: give one .safetensors file, or a folder with one in it.")
    if own[0].suffix != ".safetensors":
        why = check.WHY_NOT if own[0].suffix in check.PICKLES else "not a .safetensors file, as it must be"
        raise EduError(f"{own[0]} is {why}.")
    check.header(own[0])
    return own[0]


def fitting(path, pipe, state):
    """Raise EduError unless every pair of thin matrices in a file belongs to a layer that the pipeline has."""
    pairs = {name: name.replace("lora_A", "lora_B").replace("down.weight", "up.weight")
             for name in state if DOWN.search(name)}
    strange = sorted(set(state) - {*pairs, *pairs.values()})
    if strange or not pairs:
        raise EduError(f"{path} is not a LoRA of a Stable Diffusion: it holds {check.few(strange) or 'nothing'}.")
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
    """The layer that a matrix of an adapter belongs to, as the base has it; None where there is none."""
    part, _, inside = re.sub(r"\.processor\.(to_\w+)_lora\.down", r".\1.lora.down", name).partition(".")
    inside = re.sub(r"\.to_out\.lora", ".to_out.0.lora", inside)
    try:
        layer = getattr(pipe, part).get_submodule(DOWN.sub("", inside))
    except AttributeError:
        return None
    layer = getattr(layer, "base_layer", layer)
    return layer if hasattr(layer, "weight") else None


def present(pipe):
    """{name: weight} of the adapters that are in use in the U-Net or text encoder."""
    weights = {}
    for part in (pipe.unet, pipe.text_encoder):
        for module in part.modules():
            for name in getattr(module, "scaling", None) and module.active_adapters or ():
                if name in module.scaling and name not in weights:
                    weights[name] = module.scaling[name] * module.r[name] / module.lora_alpha[name]
    return weights
