"""Pipelines with random weights that have the topology of a published model: same classes, blocks, layers and heads.

Only widths are smaller, so that a step takes milliseconds. Their pictures are noise; what they show is architecture, and
what can be tested on them is arithmetic.
"""

from typing import TYPE_CHECKING, Any

import torch

from ..errors import EduError
from .locate import path_of
from .parts import made
from .published import PUBLISHED, SCHEDULERS
from .silence import quiet

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

PER_HEAD = 4  # numbers in each attention head of the text encoders, in place of 64
UNET_WIDTHS = {"sd15": [16, 32, 64, 64], "sd2": [20, 40, 80, 80], "sdxl": [20, 40, 80], "turbo": [20, 40, 80]}
VAE_WIDTHS = [8, 16, 32, 32]
SIZE_WIDTH = 8  # numbers for each of the sizes that XL is told, in place of 256
GROUPS = 4  # of the normalisations, in place of 32
TOKENS = 77


def narrow(
    name: str = "sd15", size: int = 64, seed: int = 0, tokenizer: "CLIPTokenizer | None" = None
) -> "StableDiffusionPipeline | StableDiffusionXLPipeline":
    """A pipeline shaped like a published one, with small widths and random weights, ready for inference.

    name: one of PUBLISHED, such as "sd15" or "sdxl". size: of its pictures in pixels, a multiple of 8; a real one has 512 or
    more. seed: of the weights. tokenizer: None is that of the shipped base, with 77 tokens a prompt as in the real ones.
    Raises EduError for another name or size.
    """
    if name not in PUBLISHED:
        raise EduError(f"There is no published model {str(name)[:80]!r}; there are {', '.join(PUBLISHED)}.")
    if isinstance(size, bool) or not isinstance(size, int) or not 8 <= size <= 2048 or size % 8:
        raise EduError(f"size is {size!r}; it must be a multiple of 8 pixels, from 8 to 2048.")
    words = tokenizer or base_tokenizer()
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        return assembled(name, size, words)


def assembled(name, size, words):
    """The pipeline, from its parts."""
    import diffusers

    config, kinds = configuration(name, size, words), dict(SCHEDULERS[name])
    parts: dict[str, Any] = {part: made(part, one) for part, one in config.items()}
    parts["scheduler"] = getattr(diffusers, kinds.pop("_class_name"))(**kinds)
    more = {"tokenizer": words}
    if "text_encoder_2" in config:
        pipe = diffusers.StableDiffusionXLPipeline(**parts, **more, tokenizer_2=words, add_watermarker=False)
    else:
        more |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        pipe = diffusers.StableDiffusionPipeline(**parts, **more)
    pipe.set_progress_bar_config(disable=True)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    return pipe


def configuration(name, size, words):
    """{part: its configuration}: the published one with smaller widths."""
    wide = PUBLISHED[name]
    texts = {part: text(wide[part], words) for part in wide if part.startswith("text_encoder")}
    widths = [one["hidden_size"] for one in texts.values()]
    unet = {"block_out_channels": UNET_WIDTHS[name], "cross_attention_dim": sum(widths)}
    if "text_encoder_2" in texts:
        pooled = texts["text_encoder_2"]["projection_dim"]
        unet |= {"addition_time_embed_dim": SIZE_WIDTH, "projection_class_embeddings_input_dim": pooled + 6 * SIZE_WIDTH}
    small = {"norm_num_groups": GROUPS}
    return {
        **texts,
        "vae": {**wide["vae"], "block_out_channels": VAE_WIDTHS, **small, "sample_size": size},
        "unet": {**wide["unet"], **unet, **small, "sample_size": size // 8},
    }


def text(config, words):
    """The configuration of a text encoder with as many layers and heads, for these words."""
    width = PER_HEAD * config["num_attention_heads"]
    ids = {name: getattr(words, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "projection_dim": width}
    return {**config, **sizes, **ids, "vocab_size": len(words), "max_position_embeddings": words.model_max_length}


def base_tokenizer():
    """The shipped base's tokenizer, for prompts as long as those of the published models."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer.from_pretrained(path_of("base") / "tokenizer", model_max_length=TOKENS)
