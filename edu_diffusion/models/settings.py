"""Configurations from strangers: JSON that is read safely, and numbers that are bounded before anything is built from them.

A configuration may ask for a billion layers, and the library would begin to build them. Its weight files are the measure:
no size may exceed what they hold, and building stops as soon as it has used up more than they could fill.
"""

import contextlib
import json
import math
import threading
from collections.abc import Iterator

import torch

from ..errors import EduError
from .sentences import in_words

LARGEST = {"tokenizer": 64 << 20}  # bytes of a JSON file by its folder; multilingual vocabularies have 20 MB,
LARGE = 4 << 20  # and the largest configurations, lists of shards, 200 KB
SIZES = {  # what tensors are built from: none of these can exceed the largest dimension or the number of tensors
    "block_out_channels",
    "layers_per_block",
    "transformer_layers_per_block",
    "in_channels",
    "out_channels",
    "latent_channels",
    "cross_attention_dim",
    "attention_head_dim",
    "num_attention_heads",
    "norm_num_groups",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "vocab_size",
    "max_position_embeddings",
    "conditioning_embedding_out_channels",
    "conditioning_channels",
    "conv_in_kernel",
    "conv_out_kernel",
    "patch_size",
}
LIMITS = {"sample_size": 256, "num_train_timesteps": 100_000}  # what no weight depends on; Stable Diffusion: 64 and 1000
PIXELS = 2048  # the sample_size of a VAE
FRACTIONS = ("beta_start", "beta_end")  # of a noise schedule


# ---------------------------------------------------------------- reading


def read_json(path):
    """The object in a JSON file. Raises EduError for any other value, for NaN, and for a file that is far too large."""
    with in_words(path):
        refuse_large(path)
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=constant)
    if not isinstance(found, dict):
        raise EduError(
            f"{path} is not a configuration: it holds a JSON {type(found).__name__}, but must hold an object; "
            "copy or download it again."
        )
    return found


def refuse_large(path):
    """Raise EduError for a JSON file that is too large to be what its name says."""
    size, limit = path.stat().st_size, LARGEST.get(path.parent.name, LARGE)
    if size > limit:
        raise EduError(
            f"{path} is not a configuration: it has {size / 1e6:.0f} MB, and at most {limit / 1e6:.0f} MB are read; "
            "copy or download it again."
        )


def constant(name):
    """The number that one of JSON's three unofficial names stands for; schedulers use the infinite ones."""
    if name == "NaN":
        raise ValueError("it holds NaN, which is not a number")
    return float(name)


# ---------------------------------------------------------------- numbers


def numbers(where, config, held=None):
    """Raise EduError for numbers that no network has. held: {name: shape} of its weights, if known."""
    sizes(where, config, held)
    for name in [name for name in FRACTIONS if not 0 <= real(config.get(name, 0)) <= 1]:
        raise EduError(f"{where}: {name} is {str(config[name])[:60]}, but must be between 0 and 1: copy or download it again.")
    if not 0 < real(config.get("scaling_factor", 1)) < math.inf:
        raise EduError(
            f"{where}: scaling_factor is {str(config['scaling_factor'])[:60]}, but must be above 0 and finite: "
            "copy or download it again."
        )
    for value in config.values():
        if isinstance(value, dict):
            numbers(where, value, held)


def sizes(where, config, held):
    """Raise EduError for sizes that are not whole numbers from 1 to what the weights allow."""
    most = bound(held)
    limits = {**dict.fromkeys(SIZES, most), **LIMITS}
    if config.get("_class_name") == "AutoencoderKL":
        limits["sample_size"] = PIXELS
    for name in limits.keys() & config.keys():
        if not all(type(n) is int and 1 <= n <= limits[name] for n in flat(config[name])):
            upto = "" if limits[name] == math.inf else f" to {limits[name]}"
            raise EduError(
                f"{where}: {name} is {str(config[name])[:60]}; only whole numbers from 1{upto} are possible with these "
                "weights: copy or download it again."
            )


def real(value):
    """A number as it is, and -1 for anything else."""
    return value if type(value) in (int, float) else -1


def bound(held):
    """The largest number that a network of these weights can have in its configuration."""
    sizes = [size for shape in (held or {}).values() for size in shape]
    return max(sizes, default=0) + len(held) if held is not None else math.inf


def flat(value):
    """The numbers in nested lists; nothing for None."""
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in flat(item)]
    return [] if value is None else [value]


# ---------------------------------------------------------------- building


@contextlib.contextmanager
def blank(where: object, held: dict | None = None) -> Iterator[None]:
    """Modules built inside the block have shapes but no numbers.

    held: {name: shape} of the weights for them. Building stops with an EduError when it needs several times as much.
    Any exception becomes one clear EduError that names `where`.
    """
    hook = count_parameters(where, held or {})
    with in_words(where), torch.device("meta"):
        handle = torch.nn.modules.module.register_module_parameter_registration_hook(hook) if held is not None else None
        try:
            yield
        finally:
            handle and handle.remove()


def count_parameters(where, held):
    """A hook for the registration of parameters that raises an EduError after several times as many as the weights hold."""
    tensors, values = 4 * len(held) + 1000, 8 * sum(math.prod(shape) for shape in held.values()) + 10**8
    seen, own = [0, 0], threading.get_ident()  # the hook is for all threads, but counts in this one only

    def count(module, name, parameter):
        if parameter is not None and threading.get_ident() == own:
            seen[0], seen[1] = seen[0] + 1, seen[1] + parameter.numel()
        if seen[0] > tensors or seen[1] > values:
            raise EduError(
                f"{where} describes a network many times larger than its weights, which are {len(held)} tensors: "
                "it is damaged or belongs to another model; copy or download it again."
            )

    return count
