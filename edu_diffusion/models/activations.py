"""The activations of one part of a pipeline, counted without allocating them.

The library's own module is built and run with fake tensors, which have a shape and a dtype but no numbers, while the bytes of
those that are alive are counted.
"""

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from .live import Live
from .parts import made
from .sdxl import ENCODERS
from .silence import quiet

LOCK = threading.RLock()
MODE: list[Any] = []  # the one FakeTensorMode: fake tensors of two do not mix


class Measured(NamedTuple):
    """The most bytes of activations alive in float32, and the floating-point operations."""

    bytes: int
    flops: int


@contextmanager
def fake() -> Iterator[None]:
    """Tensors made inside the block have a shape and a dtype, but no numbers and no memory."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with LOCK:
        if not MODE:
            MODE.append(FakeTensorMode())
        with MODE[0], torch.no_grad():
            yield


@functools.lru_cache(maxsize=8)
def built(key, part):
    """A part of a configuration, built from fake tensors in float32. key: the configuration as JSON."""
    config = json.loads(key)[part]
    with fake(), quiet(), torch.random.fork_rng(devices=[]):
        return made(part, config).eval()


@functools.lru_cache(maxsize=64)
def counts(key, part):
    """(the numbers in a part's weights, those in its largest layer)"""
    module = built(key, part)
    layers = [sum(x.numel() for x in tensors(one)) for one in module.modules() if not any(one.children())]
    return sum(x.numel() for x in tensors(module)), max(layers)


def tensors(module):
    """The parameters and buffers of a module."""
    return [*module.parameters(), *module.buffers()]


@functools.lru_cache(maxsize=256)
def measured(key, part, batch, height=0, width=0):
    """Run a part on fake tensors; returns Measured. For the text encoder: both of Stable Diffusion XL, one after the other."""
    config = json.loads(key)
    names = [name for name in ENCODERS if name in config] if part == "text_encoder" else [part]
    modules = [built(key, name) for name in names]
    run = {"text_encoder": encode, "unet": predict, "vae": decode}[part]
    with fake(), Live([x for module in modules for x in tensors(module)]) as live:
        run(config, modules, batch, height, width)
    return Measured(live.peak, live.flops)


def encode(config, modules, batch, *_):
    """Embed a batch of prompts as steps.embed does."""
    outputs = []
    for module in modules:
        ids = torch.zeros(batch, module.config.max_position_embeddings, dtype=torch.long)
        outputs.append(module(ids, output_hidden_states=len(modules) > 1))
    return outputs


def predict(config, modules, rows, height, width):
    """Evaluate the U-Net once, as steps.text_to_image.predict does."""
    (unet,), factor = modules, 2 ** (len(config["vae"]["block_out_channels"]) - 1)
    tokens, widths = config["text_encoder"]["max_position_embeddings"], unet.config
    z_t = torch.zeros(rows, widths.in_channels, height // factor, width // factor)
    c = torch.zeros(rows, tokens, widths.cross_attention_dim)
    more = {}
    if widths.addition_embed_type == "text_time":
        pooled = widths.projection_class_embeddings_input_dim - 6 * widths.addition_time_embed_dim
        more["added_cond_kwargs"] = {"text_embeds": torch.zeros(rows, pooled), "time_ids": torch.zeros(rows, 6)}
    return unet(z_t, 500, encoder_hidden_states=c, return_dict=False, **more)


def decode(config, modules, batch, height, width):
    """Decode a batch of latents as steps.decode does."""
    (vae,), factor = modules, 2 ** (len(config["vae"]["block_out_channels"]) - 1)
    z_0 = torch.zeros(batch, vae.config.latent_channels, height // factor, width // factor)
    x_0 = vae.decode(z_0 / vae.config.scaling_factor, return_dict=False)[0]
    x_0.isfinite().all()
    return x_0.clamp(-1, 1)
