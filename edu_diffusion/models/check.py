"""Is it a Stable Diffusion, whole and fitting? Only configurations and the headers of weight files are read.

The libraries let much pass in silence: a tokenizer without files knows two tokens, a missing tensor is random
or empty, one too many is dropped, a pickle with weights is opened, another pipeline's folder will do.
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
WHY_NOT = "a pickle, which can run any program when it is opened: convert it to .safetensors"
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


def folder(root):
    """Raise EduError unless `root` is the folder of a whole Stable Diffusion."""
    files = {part: weight_files(root, part) for part in CLASSES}
    blanks = configuration(root, [path for paths in files.values() for path in paths])
    for part, blank in blanks.items():
        found = {name: shape for path in files[part] for name, shape in header(path).items()}
        tensors(root / part, modern(shapes(blank)), modern(found))


def configuration(root, weights=()):
    """Raise EduError unless a folder has a Stable Diffusion's configuration, and the files `weights`.

    Returns {part: the library's module, with shapes but without numbers}.
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
                       "what is wanted is a StableDiffusionPipeline.")
    parts = {name: value for name, value in index.items() if isinstance(value, list)}
    for part, wanted in {**CLASSES, "tokenizer": "CLIPTokenizer"}.items():
        if wanted not in (str(name).removesuffix("Fast") for name in parts.get(part, [])):
            raise EduError(f"{root}: its {part} is {parts.get(part)}; what is wanted is a {wanted}.")
    foreign = [value for value in parts.values() if not LIBRARIES.issuperset(value[:1])]
    if foreign:
        raise EduError(f"{root} wants code from elsewhere, {foreign[0]}; "
                       "only that of diffusers and transformers is used.")


def lacking(root, weights):
    """Refuse a folder without all the files that are needed."""
    needed = [*(root / name for name in SETTINGS), *word_files(root / "tokenizer"), *weights]
    names = [path.relative_to(root).as_posix() for path in needed if not path.is_file()]
    if names:
        pickles = [path.name for place in ("*", "*/*") for path in root.glob(place) if path.suffix in PICKLES]
        hint = f" ({pickles[0]} is {WHY_NOT})" if pickles else ""
        raise EduError(f"{root} is not a Stable Diffusion folder: it lacks {few(names)}{hint}.")


def word_files(folder):
    """The files that a tokenizer needs in its folder: one, or the two that libraries of old wrote."""
    whole = folder / "tokenizer.json"
    return [whole] if whole.exists() else [folder / "vocab.json", folder / "merges.txt"]


def blank_model(root, part):
    """A part as its configuration describes it, with shapes but without numbers."""
    import diffusers
    import transformers
    with in_words(root / part / "config.json"), torch.device("meta"):
        if part == "text_encoder":
            return transformers.CLIPTextModel(transformers.CLIPTextConfig.from_pretrained(root / part))
        kind = getattr(diffusers, CLASSES[part])
        return kind.from_config(kind.load_config(root / part))


def fitting(root, vae, text_encoder, unet):
    """Refuse parts that do not fit together; each is its configuration."""
    if unet.cross_attention_dim != text_encoder.hidden_size:
        raise EduError(f"{root}: the U-Net attends to text of width {unet.cross_attention_dim}, the text "
                       f"encoder gives {text_encoder.hidden_size}; they are of different models.")
    if {unet.in_channels, unet.out_channels} != {vae.latent_channels}:
        raise EduError(f"{root}: the U-Net takes {unet.in_channels} channels and gives {unet.out_channels}, "
                       f"the VAE's latents have {vae.latent_channels}; it does not turn text into pictures.")


def words(where, tokenizer, config):
    """Refuse a tokenizer that is not the text encoder's; config: the text encoder's."""
    if len(tokenizer) != config.vocab_size:
        raise EduError(f"{where}: the tokenizer knows {len(tokenizer)} tokens, the text encoder "
                       f"{config.vocab_size}; the tokenizer's files are damaged or foreign.")
    if tokenizer.model_max_length > config.max_position_embeddings:
        raise EduError(f"{where}: the tokenizer cuts prompts at {tokenizer.model_max_length} tokens, the "
                       f"text encoder reads {config.max_position_embeddings}; its files are foreign.")


def tensors(where, wanted, found):
    """Refuse tensors other than those wanted. Both: {name: shape}."""
    shared = wanted.keys() & found.keys()
    wrong = [f"{name} {found[name]} (not {wanted[name]})" for name in shared if found[name] != wanted[name]]
    for what, names in [("lacks", wanted.keys() - found.keys()), ("has in another shape", wrong),
                        ("has besides", found.keys() - wanted.keys())]:
        if names:
            raise EduError(f"{where} is not as its configuration says: it {what} {few(sorted(names))}.")


def shapes(model):
    """{name: shape} of a module's tensors."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def modern(named):
    """{name: value} under the names of today's libraries; Stable Diffusion 1.5's folder has older ones."""
    new = {}
    for name, value in named.items():
        for old, now in OLD_NAMES.items():
            name = name.replace(old, now)
        new[name.removeprefix("text_model.")] = value
    return {name: value for name, value in new.items() if not name.endswith("position_ids")}


def weight_files(root, part):
    """The weight files of a part: one, or the several that an index lists."""
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
        raise EduError(f"{path} is no whole .safetensors file ({error}); copy or fetch it again.") from error


def read_json(path):
    """The dictionary in a JSON file."""
    with in_words(path):
        return dict(json.loads(path.read_text(encoding="utf-8")))


@contextlib.contextmanager
def in_words(where):
    """One sentence for whatever a library raises inside the block."""
    try:
        yield
    except EduError:
        raise
    except Exception as error:
        raise EduError(f"{where} is not as a Stable Diffusion has it: {first_line(error)}") from error


def first_line(error):
    return str(error).strip().split("\n")[0] or type(error).__name__


def few(names):
    """The first names of a list, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
