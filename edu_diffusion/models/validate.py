"""Is it a complete and consistent Stable Diffusion? Reads only configurations and the headers of weight files.

The libraries accept a lot silently: a tokenizer without files has two tokens, a missing tensor is random
or empty, a surplus one is dropped, a pickle with weights is opened, a folder of another pipeline is accepted.
"""

from ..data import pickles
from ..errors import EduError
from . import settings
from .kinds import alone
from .sentences import few, in_words
from .settings import read_json
from .weights import header, not_text, of_part, shapes, weight_files

CLASSES = {"vae": "AutoencoderKL", "text_encoder": "CLIPTextModel", "unet": "UNet2DConditionModel"}
LIBRARIES = [None, "diffusers", "transformers", "stable_diffusion"]  # the last one is the safety checker's
SETTINGS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/tokenizer_config.json",
    *(f"{part}/config.json" for part in CLASSES),
)
PICKLES = pickles.PICKLES


def why_not(path):
    """Why a pickle is not opened, by what its instructions would import; they are read and never executed, see data/pickles.py."""
    what, advice = "a pickle, which can run arbitrary code when it is opened", "convert it to .safetensors"
    try:
        bad = pickles.not_allowed(path)
    except EduError:  # no pickle at all, or a damaged one
        return f"{what}: {advice}"
    return (
        f"{what}; this one would import {pickles.few(bad)}: do not open it, ask for a .safetensors file"
        if bad
        else f"{what}: {advice}"
    )


def folder(root):
    """Raise EduError unless `root` is the folder of a complete Stable Diffusion."""
    index(root)
    files = {part: weight_files(root, part) for part in CLASSES}
    lacking(root, [path for paths in files.values() for path in paths])
    for path in (path for paths in files.values() for path in paths):
        refuse_not_text(path)
    held = {part: {name: shape for path in files[part] for name, shape in header(path).items()} for part in CLASSES}
    for part, blank in blanks(root, held).items():
        tensors(root / part, of_part(part, shapes(blank)), of_part(part, held[part]))


def refuse_not_text(path):
    """Refuse a file of a folder, which the library opens by itself, with metadata that it cannot read."""
    if names := not_text(path):
        raise EduError(
            f"{path} has {few(list(names))} in its metadata, which is not text, as the format wants it: write the file once more "
            "with data.layout.rewritten(path, target)."
        )


def configuration(root, held=None):
    """Raise EduError unless a folder has the configuration of a Stable Diffusion. held: {name: shape} of its weights, if known.

    Returns {part: the library's module on the meta device, with shapes but without numbers}.
    """
    index(root)
    lacking(root, [])
    return blanks(root, dict.fromkeys(CLASSES, held))


def index(root):
    """Refuse a folder whose model_index.json, if there is one, is another pipeline's."""
    if (root / "model_index.json").exists():
        classes(root, read_json(root / "model_index.json"))


def blanks(root, held):
    """{part: its blank model}. held: {part: {name: shape} of its weights, or None}. Raises EduError if they do not fit together."""
    path = root / "scheduler" / "scheduler_config.json"
    settings.numbers(path, read_json(path))
    read_json(root / "tokenizer" / "tokenizer_config.json")
    for path in word_files(root / "tokenizer"):
        with in_words(path):
            settings.refuse_large(path)
    built = {part: blank_model(root, part, held[part]) for part in CLASSES}
    fitting(root, **{part: blank.config for part, blank in built.items()})
    return built


def classes(root, index):
    """Refuse another pipeline, and parts of other classes or from other libraries."""
    if index.get("_class_name") != "StableDiffusionPipeline":
        raise EduError(f"{root} holds a {str(index.get('_class_name'))[:100]}; expected a StableDiffusionPipeline.")
    parts = {name: value for name, value in index.items() if isinstance(value, list)}
    for part, wanted in {**CLASSES, "tokenizer": "CLIPTokenizer"}.items():
        if wanted not in (str(name).removesuffix("Fast") for name in parts.get(part, [])):
            raise EduError(f"{root}: its {part} is {str(parts.get(part))[:100]}; expected a {wanted}.")
    foreign = [value for value in parts.values() if value and value[0] not in LIBRARIES]
    if foreign:
        raise EduError(
            f"{root} requires code from elsewhere, {str(foreign[0])[:100]}; only code from diffusers and transformers is allowed."
        )


def lacking(root, weights):
    """Refuse a folder that lacks required files, and say what it holds instead."""
    needed = [*(root / name for name in SETTINGS), *word_files(root / "tokenizer"), *weights]
    names = [path.relative_to(root).as_posix() for path in needed if not path.is_file()]
    if names:
        raise EduError(f"{root} is not a Stable Diffusion folder: it lacks {few(names)}{instead(root)}.")


def instead(root):
    """What a folder holds that may have been meant: a pickle, or the weights of something else."""
    files = sorted(path for place in ("*", "*/*") for path in root.glob(place) if path.is_file())
    if found := [path for path in files if path.suffix in PICKLES]:
        return f" ({found[0].name} is {why_not(found[0])})"
    others = [path for path in files if path.parent == root and path.suffix == ".safetensors"]
    found = [(path.name, what) for path in others if (what := alone(header(path)))]
    return f" ({found[0][0]} is {found[0][1]})" if found else ""


def word_files(folder):
    """The files that a tokenizer needs in its folder: one, or the two that older library versions wrote."""
    whole = folder / "tokenizer.json"
    return [whole] if whole.exists() else [folder / "vocab.json", folder / "merges.txt"]


def blank_model(root, part, held=None):
    """A part built from its configuration, with shapes but without numbers. held: {name: shape} of its weights, if known."""
    import diffusers
    import transformers

    path = root / part / "config.json"
    settings.numbers(path, read_json(path), held)
    with settings.blank(path, held):
        if part == "text_encoder":
            return transformers.CLIPTextModel(transformers.CLIPTextConfig.from_pretrained(root / part))
        kind = getattr(diffusers, CLASSES[part])
        return kind.from_config(kind.load_config(root / part))


def fitting(root, vae, text_encoder, unet):
    """Refuse parts whose configurations do not fit together."""
    if unet.cross_attention_dim != text_encoder.hidden_size:
        raise EduError(
            f"{root}: the U-Net attends to text of width {unet.cross_attention_dim}, the text "
            f"encoder outputs {text_encoder.hidden_size}; they belong to different models."
        )
    if {unet.in_channels, unet.out_channels} != {vae.latent_channels}:
        raise EduError(
            f"{root}: the U-Net takes {unet.in_channels} channels and outputs {unet.out_channels}, "
            f"the VAE's latents have {vae.latent_channels}; this is not a text-to-image model."
        )


def words(where, tokenizer, config):
    """Refuse a tokenizer that does not belong to the text encoder; config: the text encoder's."""
    if len(tokenizer) != config.vocab_size:
        raise EduError(
            f"{where}: the tokenizer knows {len(tokenizer)} tokens, the text encoder "
            f"{config.vocab_size}; the tokenizer's files are damaged or belong to another model."
        )
    if not 3 <= tokenizer.model_max_length <= config.max_position_embeddings:
        raise EduError(
            f"{where}: the tokenizer truncates prompts at {tokenizer.model_max_length} tokens, the "
            f"text encoder reads 3 to {config.max_position_embeddings}; its files belong to another model."
        )


def schedule(where, scheduler):
    """Refuse a noise schedule whose arithmetic gives infinite or undefined numbers."""
    kept = getattr(scheduler, "alphas_cumprod", None)
    if kept is not None and not bool(((kept >= 0) & (kept <= 1)).all()):
        raise EduError(
            f"{where}: its noise schedule is impossible, with betas from {scheduler.config.get('beta_start')} to "
            f"{scheduler.config.get('beta_end')}; they must be between 0 and 1: copy or download it again."
        )


def tensors(where, wanted, found):
    """Refuse missing, misshapen and surplus tensors. Both arguments: {name: shape}."""
    shared = wanted.keys() & found.keys()
    wrong = [f"{name} {found[name]} (not {wanted[name]})" for name in shared if found[name] != wanted[name]]
    for what, names in [
        ("lacks", wanted.keys() - found.keys()),
        ("has another shape for", wrong),
        ("also has", found.keys() - wanted.keys()),
    ]:
        if names:
            raise EduError(f"{where} does not match its configuration: it {what} {few(sorted(names))}.")
