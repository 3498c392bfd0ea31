"""Stable Diffusion XL and XL Turbo from a folder: validated like the others, with two text encoders."""

import pathlib
from typing import TYPE_CHECKING

import torch

from ..errors import EduError
from . import settings, validate, weights
from .sentences import in_words
from .settings import read_json
from .silence import quiet
from .weights import header, of_part, shapes, weight_files

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

KIND = "StableDiffusionXLPipeline"
ENCODERS = {"text_encoder": "CLIPTextModel", "text_encoder_2": "CLIPTextModelWithProjection"}
TOKENIZERS = ("tokenizer", "tokenizer_2")
PARTS = ("vae", *ENCODERS, "unet")
SIZES = 6  # numbers that the U-Net is conditioned on: height and width before the enlargement, crop, target


def is_folder(root: pathlib.Path) -> bool:
    """Whether a folder says that it is a Stable Diffusion XL."""
    path = root / "model_index.json"
    return path.is_file() and read_json(path).get("_class_name") == KIND


def pipeline_class() -> "type[StableDiffusionXLPipeline]":
    """diffusers.StableDiffusionXLPipeline, imported without its comments on optional packages."""
    with quiet():
        from diffusers import StableDiffusionXLPipeline
    return StableDiffusionXLPipeline


def read(root: pathlib.Path, dtype: torch.dtype) -> "StableDiffusionXLPipeline":
    """The pipeline in a folder. Raises EduError unless it is complete and its parts fit together."""
    files = {part: weight_files(root, part) for part in PARTS}
    lacking(root, [path for paths in files.values() for path in paths])
    for path in (path for paths in files.values() for path in paths):
        validate.refuse_not_text(path)
    held = {part: {name: shape for path in files[part] for name, shape in header(path).items()} for part in PARTS}
    for part, blank in blanks(root, held).items():
        validate.tensors(root / part, of_part(part, shapes(blank)), of_part(part, held[part]))
    with quiet(), in_words(root):
        pipe = pipeline_class().from_pretrained(
            root, dtype=dtype, local_files_only=True, use_safetensors=True, variant=weights.variant(root), add_watermarker=False
        )
    validate.words(root, pipe.tokenizer_2, pipe.text_encoder_2.config)
    return pipe


def blanks(root: pathlib.Path, held: dict) -> dict[str, torch.nn.Module]:
    """{part: its module without numbers}, from a folder's configuration. held: {part: {name: shape} of its weights, or None}.

    Raises EduError for another pipeline, and for parts that do not fit together.
    """
    index = read_json(root / "model_index.json")
    classes(root, index)
    path = root / "scheduler" / "scheduler_config.json"
    settings.numbers(path, read_json(path))
    built = {part: validate.blank_model(root, part, held[part]) for part in ("vae", "unet")}
    built |= {part: blank_encoder(root, part, held[part]) for part in ENCODERS}
    fitting(root, **{part: blank.config for part, blank in built.items()})
    return {part: built[part] for part in PARTS}


def blank_encoder(root, part, held):
    """A text encoder built from its configuration, with shapes but without numbers."""
    import transformers

    path = root / part / "config.json"
    settings.numbers(path, read_json(path), held)
    with settings.blank(path, held):
        return getattr(transformers, ENCODERS[part])(transformers.CLIPTextConfig.from_pretrained(root / part))


def classes(root, index):
    """Refuse parts of other classes or from other libraries."""
    wanted = {**ENCODERS, "vae": "AutoencoderKL", "unet": "UNet2DConditionModel", **dict.fromkeys(TOKENIZERS, "CLIPTokenizer")}
    for part, name in wanted.items():
        value = index.get(part)
        found = value if isinstance(value, list) else []
        if name not in (str(one).removesuffix("Fast") for one in found) or found[0] not in validate.LIBRARIES:
            raise EduError(f"{root}: its {part} is {str(value)[:100]}; a Stable Diffusion XL with a {name} is expected.")


def lacking(root, files):
    """Refuse a folder that lacks required files."""
    names = ["scheduler/scheduler_config.json", *(f"{part}/config.json" for part in PARTS)]
    names += [f"{part}/tokenizer_config.json" for part in TOKENIZERS]
    needed = [*(root / name for name in names), *(p for part in TOKENIZERS for p in validate.word_files(root / part)), *files]
    missing = [path.relative_to(root).as_posix() for path in needed if not path.is_file()]
    if missing:
        few = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise EduError(f"{root} is not a complete Stable Diffusion XL folder: it lacks {few}; copy or download it again.")


def fitting(root, vae, text_encoder, text_encoder_2, unet):
    """Refuse parts whose configurations do not fit together."""
    width = text_encoder.hidden_size + text_encoder_2.hidden_size
    added = text_encoder_2.projection_dim + SIZES * (unet.get("addition_time_embed_dim") or 0)
    wanted = {
        "addition_embed_type": "text_time",
        "cross_attention_dim": width,
        "projection_class_embeddings_input_dim": added,
        "in_channels": vae.latent_channels,
        "out_channels": vae.latent_channels,
    }
    for name, value in wanted.items():
        if unet.get(name) != value:
            raise EduError(
                f"{root}: the U-Net has {name} = {unet.get(name)!r}, but the text encoders and the VAE need {value!r}; "
                "they belong to different models, or this is not a text-to-image model."
            )


def refuse(pipe: object, instead: str) -> None:
    """Raise EduError for a Stable Diffusion XL where only 1 and 2 are possible. instead: what to do, in words."""
    if getattr(pipe, "text_encoder_2", None) is not None:
        raise EduError(f"This is a Stable Diffusion XL, which has two text encoders: {instead}.")
