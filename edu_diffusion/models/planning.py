"""How much memory a picture takes: weights and activations of every phase, predicted without allocating either.

The activations of each part are counted by activations.py. What an operation allocates for itself inside, and the memory of
Python and the libraries, is not in the prediction; tests/benchmarks/memory.py prints both beside it.
"""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch

from ..errors import EduError
from .activations import counts, measured, tensors
from .locate import path_of
from .published import PUBLISHED, Config
from .sdxl import ENCODERS
from .settings import read_json

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

LATENTS = 6  # new latents in each State of the sampling loop, all of which `draw` keeps until the last
OFFLOADS = (None, "model", "sequential")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
NAMES = {str(dtype).removeprefix("torch."): dtype for dtype in DTYPES}
LARGEST = 8192  # pixels


class Plan(NamedTuple):
    """What drawing takes. All numbers are bytes, but `flops`: floating-point operations for the whole batch."""

    words: str  # the settings
    settings: dict[str, Any]
    weights: dict[str, int]  # of each part
    phases: dict[str, int]  # the most activations alive in each: "text encoder", "U-Net", "VAE decoder"
    resident: dict[str, int]  # the weights in the device's memory in each phase
    flops: int

    @property
    def phase(self) -> str:
        """The phase with the highest peak."""
        return max(self.phases, key=lambda name: self.phases[name] + self.resident[name])

    @property
    def peak(self) -> int:
        """Weights and activations at the worst moment."""
        return self.phases[self.phase] + self.resident[self.phase]


def plan(
    source: "DiffusionPipeline | Config | str | os.PathLike" = "base",
    size: int | tuple[int, int] | None = None,
    batch: int = 1,
    dtype: torch.dtype | str | None = None,
    offload: str | None = None,
    slicing: bool = False,
    tiling: bool = False,
    guidance: bool = True,
    steps: int = 20,
) -> Plan:
    """Predict the bytes that drawing takes, for the most demanding moment of each phase.

    peak = max over the phases of (weights in memory + activations alive)

    source: a pipeline; the name of a shipped checkpoint; a folder, of which only the configuration is read; "sd15", "sd2"
    or "sdxl"; or {part: configuration}. size: pixels, one number or (height, width); None is what the U-Net was made for.
    batch: pictures at once. dtype: float32, float16 or bfloat16, or its name; None is the pipeline's own, else float32.
    offload: None, "model" (only the part that works is on the GPU) or "sequential" (only the layer that works).
    slicing: the VAE decodes one picture after the other; tiling: it decodes a picture in tiles. guidance: whether the
    U-Net is run with and without the prompt. steps: of the sampling loop.
    Raises EduError for anything else.
    """
    config = configuration(source)
    dtype = NAMES.get(dtype, dtype) if isinstance(dtype, str) else dtype
    dtype = dtype or (getattr(source, "dtype", None) if not isinstance(source, Mapping) else None) or torch.float32
    height, width = pixels(config, size)
    checked(batch, dtype, offload, steps)
    key, rows = json.dumps(config, sort_keys=True), batch * (2 if guidance else 1)
    # activations are measured in float32; in half precision each number takes half the bytes
    share = cast(torch.dtype, dtype).itemsize / 4
    text, unet = measured(key, "text_encoder", batch), measured(key, "unet", rows, height, width)
    edges = [tiles(config, n) if tiling else [n] for n in (height, width)]  # of each tile, in pixels
    vae = measured(key, "vae", 1 if slicing else batch, *(edge[0] for edge in edges))
    latents = 4 * steps * LATENTS * batch * cells(config, height, width)
    kept = 12 * (batch - 1) * height * width if slicing else 0  # the pictures that are decoded already,
    kept += 12 * (1 if slicing else batch) * earlier(edges)  # and the tiles
    phases = {
        "text encoder": int(text.bytes * share),
        "U-Net": int((unet.bytes + latents) * share),
        "VAE decoder": int((vae.bytes + kept) * (1 if upcast(config, dtype) else share) + latents * share),
    }
    weights = weights_of(config, dtype)
    resident = in_memory(config, weights, dtype, offload)
    flops = rows // batch * text.flops + steps * unet.flops + int(vae.flops * (batch if slicing else 1) * tiled(edges))
    settings = {"size": (height, width), "batch": batch, "dtype": dtype, "offload": offload, "slicing": slicing}
    settings |= {"tiling": tiling, "guidance": guidance, "steps": steps}
    return Plan(described(settings), settings, weights, phases, resident, flops)


def described(settings):
    """The settings in words: 4 pictures of 512 x 512 pixels in float16, with VAE slicing."""
    height, width = settings["size"]
    count = "1 picture" if settings["batch"] == 1 else f"{settings['batch']} pictures at once"
    dtype = str(settings["dtype"]).removeprefix("torch.")
    more = [f"VAE {name}" for name in ("slicing", "tiling") if settings[name]]
    more += [f"{settings['offload']} offload"] if settings["offload"] else []
    return f"{count} of {width} x {height} pixels in {dtype}" + (f", with {' and '.join(more)}" if more else "")


# ---------------------------------------------------------------- what is asked


def configuration(source: object) -> Config:
    """{part: its configuration} of a pipeline, folder, shipped checkpoint or published model; see `plan`."""
    if isinstance(source, Mapping):
        found = {part: dict(config) for part, config in source.items()}
    elif isinstance(source, str) and source in PUBLISHED:
        found = PUBLISHED[source]
    elif isinstance(source, (str, os.PathLike)):
        root = path_of(source)
        files = {part: root / part / "config.json" for part in (*ENCODERS, "unet", "vae")}
        found = {part: read_json(path) for part, path in files.items() if path.is_file()}
    else:
        found = of_pipeline(source)
    lacking = [part for part in ("text_encoder", "unet", "vae") if part not in found]
    if lacking:
        raise EduError(
            f"There is no configuration of the {lacking[0]} in {str(source)[:80]}: give a pipeline, the folder of one, "
            f"or one of {', '.join(PUBLISHED)}."
        )
    return {part: {k: v for k, v in config.items() if not k.startswith("_")} for part, config in found.items()}


def of_pipeline(pipe):
    """The configurations of a pipeline's parts, and the bytes of all its weights, adapters and further parts included."""
    parts = {name: part for name, part in getattr(pipe, "components", {}).items() if isinstance(part, torch.nn.Module)}
    found = {name: json.loads(parts[name].config.to_json_string()) for name in ENCODERS if name in parts}
    found |= {name: json.loads(parts[name].to_json_string()) for name in ("unet", "vae") if name in parts}
    held = {name: sum(x.nbytes for x in tensors(part)) for name, part in parts.items()}
    return {**found, "bytes": {**held, "itemsize": pipe.dtype.itemsize}} if found else {}


def pixels(config, size):
    """(height, width) in pixels. Raises EduError for a size that the model cannot draw."""
    factor = 2 ** (len(config["vae"]["block_out_channels"]) - 1)
    own = config["unet"]["sample_size"]
    own = [own, own] if isinstance(own, int) else own
    pair = tuple(factor * n for n in own) if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2 or not all(isinstance(n, int) and 0 < n <= LARGEST and n % factor == 0 for n in pair):
        raise EduError(f"size is {size}; it must be one or two multiples of {factor} pixels, up to {LARGEST}.")
    return pair


def tiles(config, n):
    """The edges of the VAE's tiles along n pixels: they overlap by a quarter, and the last ones are smaller."""
    factor, most = 2 ** (len(config["vae"]["block_out_channels"]) - 1), config["vae"].get("sample_size", 512)
    step = int(most // factor * 0.75) * factor
    return [min(most, n - start) for start in range(0, n, step)] if n > most else [n]


def earlier(edges):
    """The pixels of the tiles that are decoded before the last whole one, row by row."""
    (high, *_), (wide, *_) = edges
    rows, columns = (one.count(one[0]) - 1 for one in edges)
    return high * (rows * sum(edges[1]) + wide * columns)


def tiled(edges):
    """How many times the area of the first tile all the tiles have together."""
    (first, *_), (second, *_) = edges
    return sum(edges[0]) * sum(edges[1]) / (first * second)


def cells(config, height, width):
    """The numbers in a latent."""
    factor = 2 ** (len(config["vae"]["block_out_channels"]) - 1)
    return config["vae"]["latent_channels"] * (height // factor) * (width // factor)


def checked(batch, dtype, offload, steps):
    """Raise EduError for a setting out of range."""
    for name, value in (("batch", batch), ("steps", steps)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
            raise EduError(f"{name} is {value!r}; it must be a whole number from 1 to 1000.")
    if dtype not in DTYPES:
        raise EduError(f"dtype is {dtype!r}; it must be torch.float32, torch.float16 or torch.bfloat16.")
    if offload not in OFFLOADS:
        raise EduError(f"offload is {offload!r}; it must be None, 'model' or 'sequential'.")


# ---------------------------------------------------------------- weights


def weights_of(config, dtype):
    """{part: bytes of its weights}"""
    if held := config.get("bytes"):
        scale = dtype.itemsize / held["itemsize"]
        return {name: int(n * scale) for name, n in held.items() if name != "itemsize"}
    key = json.dumps(config, sort_keys=True)
    parts = [part for part in (*ENCODERS, "unet", "vae") if part in config]
    return {part: counts(key, part)[0] * dtype.itemsize for part in parts}


def upcast(config, dtype):
    """Whether the VAE is run in float32, though the rest is in float16: that of Stable Diffusion XL overflows."""
    return dtype == torch.float16 and "text_encoder_2" in config and bool(config["vae"].get("force_upcast", True))


def in_memory(config, weights, dtype, offload):
    """{phase: bytes of the weights that are in the device's memory}"""
    parts = {"text encoder": ENCODERS, "U-Net": ("unet",), "VAE decoder": ("vae",)}
    key = json.dumps({part: one for part, one in config.items() if part != "bytes"}, sort_keys=True)
    found = {}
    for phase, names in parts.items():
        own = [name for name in names if name in weights]
        layers = [counts(key, name)[1] * dtype.itemsize for name in own] if offload == "sequential" else []
        works = max(weights[name] for name in own)
        found[phase] = {None: sum(weights.values()), "model": works, "sequential": max(layers, default=0)}[offload]
    if upcast(config, dtype):
        found["VAE decoder"] *= 1 if offload is None else 2
        found["VAE decoder"] += weights["vae"] if offload is None else 0
    return found
