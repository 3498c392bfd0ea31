"""Is it a complete and consistent Stable Diffusion? Reads only configurations and the headers of weight files.

The libraries accept a lot silently: a tokenizer without files has two tokens, a missing tensor is random
or empty, a surplus one is dropped, a pickle with weights is opened, a folder of another pipeline is accepted.
"""

import contextlib
import json

import torch

from ..errors import EduError

CLASSES = {"vae": "AutoencoderKL", "text_encoder": "CLIPTextModel", "unet": "UNet2DConditionModel"}
STEMS = {"vae": "diffusion_pytorch_model", "text_encoder": "model", "unet": "diffusion_pytorch_model"}
LIBRARIES = {None, "diffusers", "transformers", "stable_diffusion"}  # the last one is the safety checker's
SETTINGS = ("model_index.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json",
            *(f"{part}/config.json" for part in CLASSES))
PICKLES = {".bin", ".ckpt", ".pkl", ".pt", ".pth"}
WHY_NOT = "a pickle, which can run arbitrary code when it is opened: convert it to .safetensors"
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def folder(root):
    """Raise EduError unless `root` is the folder of a complete Stable Diffusion."""
    files = {part: weight_files(root, part) for part in CLASSES}
    blanks = configuration(root, [path for paths in files.values() for path in paths])
    for part, blank in blanks.items():
        found = {name: shape for path in files[part] for name, shape in header(path).items()}
        tensors(root / part, modern(shapes(blank)), modern(found))


def configuration(root, weights=()):
    """Raise EduError unless a folder has the configuration of a Stable Diffusion, and the files `weights`.

    Returns {part: the library's module on the meta device, with shapes but without numbers}.
    """
    if (root / "model_index.json").exists():
        classes(root, read_json(root / "model_index.json"))
    lacking(root, weights)
    blanks = {part: blank_model(root, part) for part in CLASSES}
    fitting(root, **{part: blank.config for part, blank in blanks.items()})
    return blanks


def classes(root, index):
    """Refuse another pipeline, and parts of other classes or from other libraries."""
    if index.get("_class_name") != "StableDiffusionPipeline":
        raise EduError(f"{root} holds a {index.get('_class_name')}; "
                       "expected a StableDiffusionPipeline.")
    parts = {name: value for name, value in index.items() if isinstance(value, list)}
    for part, wanted in {**CLASSES, "tokenizer": "CLIPTokenizer"}.items():
        if wanted not in (str(name).removesuffix("Fast") for name in parts.get(part, [])):
            raise EduError(f"{root}: its {part} is {parts.get(part)}; expected a {wanted}.")
    foreign = [value for value in parts.values() if not LIBRARIES.issuperset(value[:1])]
    if foreign:
        raise EduError(f"{root} requires code from elsewhere, {foreign[0]}; "
                       "only code from diffusers and transformers is allowed.")


def lacking(root, weights):
    """Refuse a folder that lacks required files."""
    needed = [*(root / name for name in SETTINGS), *word_files(root / "tokenizer"), *weights]
    names = [path.relative_to(root).as_posix() for path in needed if not path.is_file()]
    if names:
        pickles = [path.name for place in ("*", "*/*") for path in root.glob(place) if path.suffix in PICKLES]
        hint = f" ({pickles[0]} is {WHY_NOT})" if pickles else ""
        raise EduError(f"{root} is not a Stable Diffusion folder: it lacks {few(names)}{hint}.")


def word_files(folder):
    """The files that a tokenizer needs in its folder: one, or the two that older library versions wrote."""
    whole = folder / "tokenizer.json"
    return [whole] if whole.exists() else [folder / "vocab.json", folder / "merges.txt"]


def blank_model(root, part):
    """A part built from its configuration, with shapes but without numbers."""
    import diffusers
    import transformers
    with in_words(root / part / "config.json"), torch.device("meta"):
        if part == "text_encoder":
            return transformers.CLIPTextModel(transformers.CLIPTextConfig.from_pretrained(root / part))
        kind = getattr(diffusers, CLASSES[part])
        return kind.from_config(kind.load_config(root / part))


def fitting(root, vae, text_encoder, unet):
    """Refuse parts whose configurations do not fit together."""
    if unet.cross_attention_dim != text_encoder.hidden_size:
        raise EduError(f"{root}: the U-Net attends to text of width {unet.cross_attention_dim}, the text "
                       f"encoder outputs {text_encoder.hidden_size}; they belong to different models.")
    if {unet.in_channels, unet.out_channels} != {vae.latent_channels}:
        raise EduError(f"{root}: the U-Net takes {unet.in_channels} channels and outputs {unet.out_channels}, "
                       f"the VAE's latents have {vae.latent_channels}; this is not a text-to-image model.")


def words(where, tokenizer, config):
    """Refuse a tokenizer that does not belong to the text encoder; config: the text encoder's."""
    if len(tokenizer) != config.vocab_size:
        raise EduError(f"{where}: the tokenizer knows {len(tokenizer)} tokens, the text encoder "
                       f"{config.vocab_size}; the tokenizer's files are damaged or belong to another model.")
    if tokenizer.model_max_length > config.max_position_embeddings:
        raise EduError(f"{where}: the tokenizer truncates prompts at {tokenizer.model_max_length} tokens, the "
                       f"text encoder reads {config.max_position_embeddings}; its files belong to another model.")


def tensors(where, wanted, found):
    """Refuse missing, misshapen and surplus tensors. Both arguments: {name: shape}."""
    shared = wanted.keys() & found.keys()
    wrong = [f"{name} {found[name]} (not {wanted[name]})" for name in shared if found[name] != wanted[name]]
    for what, names in [("lacks", wanted.keys() - found.keys()), ("has another shape for", wrong),
                        ("also has", found.keys() - wanted.keys())]:
        if names:
            raise EduError(f"{where} does not match its configuration: it {what} {few(sorted(names))}.")


def shapes(model):
    """{name: shape} of a module's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def modern(named):
    """{name: value} with today's parameter names; Stable Diffusion 1.5's folder uses older ones."""
    new = {}
    for name, value in named.items():
        for old, now in OLD_NAMES.items():
            name = name.replace(old, now)
        new[name.removeprefix("text_model.")] = value
    return {name: value for name, value in new.items() if not name.endswith("position_ids")}


def weight_files(root, part):
    """The weight files of a part: a single one, or the shards that an index lists."""
    single = root / part / f"{STEMS[part]}.safetensors"
    index = single.with_name(f"{single.name}.index.json")
    several = sorted(set(read_json(index).get("weight_map", {}).values())) if index.exists() else []
    return [single.with_name(name) for name in several] or [single]


def header(path):
    """{name: shape} of all tensors in a .safetensors file."""
    import safetensors
    try:
        with safetensors.safe_open(path, "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise EduError(f"{path} is not a complete .safetensors file ({error}); copy or download it again.") from error


def read_json(path):
    """The dictionary in a JSON file."""
    with in_words(path):
        return dict(json.loads(path.read_text(encoding="utf-8")))


@contextlib.contextmanager
def in_words(where):
    """Turn any exception that a library raises inside the block into one clear EduError."""
    try:
        yield
    except EduError:
        raise
    except Exception as error:
        raise EduError(f"{where} is not part of a valid Stable Diffusion: {first_line(error)}") from error


def first_line(error):
    return str(error).strip().split("\n")[0] or type(error).__name__


def few(names):
    """The first names of a list, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
