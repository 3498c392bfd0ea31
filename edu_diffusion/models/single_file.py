"""Read and write one .safetensors file with the key names of the original Stable Diffusion.

    model.diffusion_model.input_blocks.1.0.in_layers.2.weight         the U-Net: all resolution levels in one list
    first_stage_model.decoder.up.0.block.0.conv1.weight               the VAE
    cond_stage_model.transformer.text_model.final_layer_norm.weight   the text encoder

The original kept configuration and tokenizer elsewhere; here they are in the file's metadata, so that one
file is complete. A tool that reads only the key names assumes Stable Diffusion 1.5's configuration, for example
32 groups in every normalisation; the tiny VAE has 16.
"""

import contextlib
import json
import pathlib
import tempfile

from ..data import files
from ..errors import EduError
from . import validate
from .build import PARTS, assemble
from .silence import pipeline_class, quiet

KEY = "edu_diffusion"  # one entry only: safetensors writes several in random order
SETTINGS = (*validate.SETTINGS, "tokenizer/tokenizer.json", "tokenizer/vocab.json", "tokenizer/merges.txt")
PREFIX = {"unet": "model.diffusion_model.", "vae": "first_stage_model.",
          "text_encoder": "cond_stage_model.transformer.text_model."}
UNET = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2"}
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
          "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
VAE = {"mid_block.resnets.0": "mid.block_1", "mid_block.resnets.1": "mid.block_2",
       "mid_block.attentions.0": "mid.attn_1", "group_norm": "norm",
       "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out",
       "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out"}


def write(pipe, path, dtype):
    """Write a pipeline's weights as `dtype`, and its configuration, to one file."""
    import safetensors.torch
    with tempfile.TemporaryDirectory() as folder:
        texts = settings(pipe, pathlib.Path(folder))
        blanks = validate.configuration(pathlib.Path(folder))
    all_tensors = {}
    for part, blank in blanks.items():
        where = f"The pipeline's {part} (an adapter must be fused or unloaded first)"
        validate.tensors(where, validate.shapes(blank), validate.shapes(getattr(pipe, part)))
        state = getattr(pipe, part).state_dict()
        all_tensors |= {original: as_kept(original, state[name].to("cpu", dtype)).contiguous()
                        for name, original in original_names(part, blank).items()}
    files.write_bytes(path, safetensors.torch.save(all_tensors, {KEY: json.dumps(texts)}))


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

    Raises EduError unless the file holds the tensors of the three parts and nothing unknown.
    """
    if path.suffix != ".safetensors":
        why = validate.WHY_NOT if path.suffix in validate.PICKLES else "not a .safetensors file, but must be one"
        raise EduError(f"{path} is {why}.")
    found = known(validate.header(path))
    with contextlib.nullcontext(root) if root else own_settings(path) as folder:
        wanted = {}
        for part, blank in validate.configuration(folder).items():
            state = blank.state_dict()
            wanted |= {original: tuple(as_kept(original, state[name]).shape)
                       for name, original in original_names(part, blank).items()}
        validate.tensors(path, wanted, found)
        with quiet(), validate.in_words(path):
            return pipeline_class().from_single_file(
                str(path), config=str(folder), dtype=dtype, local_files_only=True)


@contextlib.contextmanager
def own_settings(path):
    """A temporary folder with the configuration from a file's metadata; only known names are written."""
    import safetensors
    with safetensors.safe_open(path, "pt") as file:
        text = (file.metadata() or {}).get(KEY)
    if text is None:
        raise EduError(f"{path} does not contain its configuration: pass config= with the folder of a model of the same kind.")
    with validate.in_words(path), tempfile.TemporaryDirectory() as folder:
        texts = json.loads(text)
        for name in texts.keys() & set(SETTINGS):
            target = pathlib.Path(folder, name)
            target.parent.mkdir(exist_ok=True)
            target.write_text(texts[name], encoding="utf-8")
        try:
            yield pathlib.Path(folder)
        except EduError as error:  # which names the temporary folder
            raise EduError(str(error).replace(folder, str(path))) from error


def known(found):
    """{name: shape} without entries of other programs: schedules (names without a dot), averaged weights, positions."""
    flat = [name for name, shape in found.items() if ".mid.attn_1." in name and len(shape) == 2]
    found = {**found, **{name: (*found[name], 1, 1) for name in flat}}  # a matrix is accepted for a 1 x 1 convolution
    return {name: shape for name, shape in found.items()
            if "." in name and not name.startswith("model_ema.") and not name.endswith("position_ids")}


def as_kept(original, tensor):
    """The VAE's attention uses 1 x 1 convolutions in the original, matrices in the library."""
    return tensor[:, :, None, None] if ".mid.attn_1." in original and tensor.ndim == 2 else tensor


# ---------------------------------------------------------------- the names

def original_names(part, model):
    """{name of a tensor in the library's model: its name in the original file}"""
    tables = {"unet": unet_table, "vae": vae_table, "text_encoder": lambda config: {}}
    table, names = tables[part](model.config), {}
    for name in model.state_dict():
        inside = RESNET if part == "unet" and ".resnets." in name else {}
        names[name] = PREFIX[part] + renamed(name.removeprefix("text_model."), {**table, **inside})
    return names


def renamed(name, table):
    """A dotted name with every entry of the table replaced."""
    name = f".{name}."
    for old, new in table.items():
        name = name.replace(f".{old}.", f".{new}.")
    return name[1:-1]


def unet_table(config):
    """Map the library's resolution levels to the original's lists of input and output blocks."""
    table, layers = dict(UNET), config.layers_per_block
    for level, up in enumerate(config.up_block_types):
        first = level * (layers + 1)  # a level takes layers + 1 places in either list
        table[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{first + layers + 1}.0.op"
        after = 2 if "Attn" in up else 1
        table[f"up_blocks.{level}.upsamplers.0"] = f"output_blocks.{first + layers}.{after}"
        for j in range(layers + 1):
            for kind, place in (("resnets", 0), ("attentions", 1)):
                table[f"down_blocks.{level}.{kind}.{j}"] = f"input_blocks.{first + j + 1}.{place}"
                table[f"up_blocks.{level}.{kind}.{j}"] = f"output_blocks.{first + j}.{place}"
    return table


def vae_table(config):
    """The original numbers the decoder's resolution levels from the finest, the library from the coarsest."""
    table, levels = dict(VAE), len(config.up_block_types)
    for level in range(levels):
        for side, number in (("down", level), ("up", levels - 1 - level)):
            table[f"{side}_blocks.{level}.resnets"] = f"{side}.{number}.block"
            table[f"{side}_blocks.{level}.{side}samplers.0"] = f"{side}.{number}.{side}sample"
    return table
