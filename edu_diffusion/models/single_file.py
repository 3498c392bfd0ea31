"""Read and write one .safetensors file with the key names of the original Stable Diffusion.

    model.diffusion_model.input_blocks.1.0.in_layers.2.weight         the U-Net: all resolution levels in one list
    first_stage_model.decoder.up.0.block.0.conv1.weight               the VAE
    cond_stage_model.transformer.text_model.final_layer_norm.weight   the text encoder

Stable Diffusion 2's text encoder, and the second one of XL, have OpenCLIP's names; see openclip.py. They are read, not written.

The original kept configuration and tokenizer elsewhere; here they are in the file's metadata, so that one
file is complete. A tool that reads only the key names assumes Stable Diffusion 1.5's configuration, for example
32 groups in every normalisation; the tiny VAE has 16.
"""

import contextlib
import json
import pathlib
import tempfile

import torch

from ..data import files
from ..errors import EduError
from . import sdxl, validate
from .build import PARTS, assemble
from .kinds import alone
from .original import as_kept, canonical, known, original_names
from .places import places_of, used, wanted
from .sentences import in_words
from .silence import pipeline_class, quiet
from .weights import header, metadata, opened, readable, refuse_infinite, shapes

KEY = "edu_diffusion"  # one entry only: safetensors writes several in random order
SETTINGS = (*validate.SETTINGS, "tokenizer/tokenizer.json", "tokenizer/vocab.json", "tokenizer/merges.txt")


def write(pipe, path, dtype):
    """Write a pipeline's weights as `dtype`, and its configuration, to one file."""
    import safetensors.torch

    with tempfile.TemporaryDirectory() as folder:
        texts = settings(pipe, pathlib.Path(folder))
        blanks = validate.configuration(pathlib.Path(folder))
    plain(pipe)
    all_tensors = {}
    for part, blank in blanks.items():
        validate.tensors(f"The pipeline's {part}", shapes(blank), shapes(getattr(pipe, part)))
        state = getattr(pipe, part).state_dict()
        all_tensors |= {
            original: as_kept(original, state[name].to("cpu", dtype)).contiguous()
            for name, original in original_names(part, blank).items()
        }
    refuse_infinite("The pipeline", all_tensors)
    files.write_bytes(path, safetensors.torch.save(all_tensors, {KEY: json.dumps(texts)}))


def plain(pipe):
    """Raise EduError for a pipeline with an adapter in it: its layers have other names then, which no plain call would find."""
    for part in ("unet", "text_encoder", "vae"):
        if any(".base_layer." in name for name in getattr(pipe, part).state_dict()):
            raise EduError(
                f"The pipeline's {part} has an adapter in it, which must be fused or unloaded first: call "
                "pipe.fuse_lora() to keep its effect, and then pipe.unload_lora_weights()."
            )


def settings(pipe, folder):
    """Write the configuration and the tokenizer to an empty folder; return them as {file name: text}."""
    assemble(*(getattr(pipe, part) for part in PARTS)).save_config(folder)
    for part in ("vae", "unet", "scheduler"):
        getattr(pipe, part).save_config(folder / part)
    pipe.text_encoder.config.save_pretrained(folder / "text_encoder")
    pipe.tokenizer.save_pretrained(folder / "tokenizer")
    tidy(pipe, folder)
    return {name: (folder / name).read_text(encoding="utf-8") for name in SETTINGS}


def tidy(pipe, folder):
    """Add the tokenizer's older files, for other tools; make the configurations portable."""
    pipe.tokenizer.backend_tokenizer.model.save(str(folder / "tokenizer"))
    files.portable(folder)


def read(path, dtype, root=None):
    """The pipeline in a file; root: a folder to take the configuration from, else the file's own is used.

    Raises EduError unless the file holds the tensors of all parts and nothing unknown.
    """
    if path.suffix != ".safetensors":
        why = validate.why_not(path) if path.suffix in validate.PICKLES else "not a .safetensors file, but must be one"
        raise EduError(f"{path} is {why}.")
    found = header(path)
    if what := alone(found):
        raise EduError(f"{path} is {what}.")
    with contextlib.nullcontext(root) if root else own_settings(path) as folder, in_words(path):
        xl = same_kind(path, found, folder)
        blanks = sdxl.blanks(folder, dict.fromkeys(sdxl.PARTS, found)) if xl else validate.configuration(folder, found)
        held = known(found)
        places = {part: places_of(part, blank, held, xl) for part, blank in blanks.items()}
        validate.tensors(path, wanted(places), used(held, blanks))
        with quiet(), readable(path) as whole:
            encoders = {part: text_encoder(whole, folder, part, places[part]).to(dtype) for part in sdxl.ENCODERS if part in blanks}
            kind, more = (sdxl.pipeline_class(), {"add_watermarker": False}) if xl else (pipeline_class(), {})
            more |= {"config": str(folder), "dtype": dtype, "local_files_only": True}
            pipe = kind.from_single_file(str(whole), **encoders, **more)
    if xl:
        validate.words(path, pipe.tokenizer_2, pipe.text_encoder_2.config)
    return pipe


def same_kind(path, found, folder):
    """Whether a file is a Stable Diffusion XL. Raises EduError if the configuration in a folder is of the other kind."""
    xl = any(name.startswith("conditioner.") for name in found)
    if xl != sdxl.is_folder(folder):
        kinds = ("a Stable Diffusion XL", "a Stable Diffusion 1 or 2")
        what, other = kinds if xl else kinds[::-1]
        raise EduError(
            f"{path} is {what}, and the configuration in {folder} that of {other}: pass config= with one of the same kind."
        )
    return xl


def text_encoder(path, folder, part, places):
    """A text encoder in a file; the library does not know all the names that its tensors can have."""
    import transformers

    with torch.random.fork_rng(devices=[]):  # it begins with random weights
        config = transformers.CLIPTextConfig.from_pretrained(pathlib.Path(folder) / part)
        model = getattr(transformers, sdxl.ENCODERS[part])(config)
    with opened(path) as file:
        own = {canonical(name): name for name in file.keys()}  # noqa: SIM118
        model.load_state_dict({name: place.take(file.get_tensor(own[place.name])) for name, place in places.items()})
    return model.eval()


@contextlib.contextmanager
def own_settings(path):
    """A temporary folder with the configuration from a file's metadata; only known names are written."""
    text = metadata(path).get(KEY)
    if text is None:
        raise EduError(f"{path} does not contain its configuration: pass config= with the folder of a model of the same kind.")
    with in_words(path), tempfile.TemporaryDirectory() as folder:
        texts = json.loads(text)
        for name in texts.keys() & set(SETTINGS):
            target = pathlib.Path(folder, name)
            target.parent.mkdir(exist_ok=True)
            target.write_text(texts[name], encoding="utf-8")
        try:
            yield pathlib.Path(folder)
        except EduError as error:  # which names the temporary folder
            raise EduError(str(error).replace(folder, str(path))) from error
