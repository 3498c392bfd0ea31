"""The key names of the original Stable Diffusion, and which tensor of the library's each of them is."""

import re

PREFIX = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text_encoder": "cond_stage_model.transformer.text_model."}
XL_TEXT = "conditioner.embedders.0.transformer.text_model."
OPENCLIP = {"text_encoder": "cond_stage_model.model.", "text_encoder_2": "conditioner.embedders.1.model."}
SHORT = re.compile(r"cond_stage_model\.transformer\.(?=(embeddings|encoder|final_layer_norm)\.)")  # as some mergers write it
UNUSED = re.compile(
    r"model_ema\..*|.*position_ids|denoiser\..*"
    r"|cond_stage_model\.(transformer\.(text_model\.)?)?(logit_scale|text_projection)(\.weight)?"
)
UNET = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE = {
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    "conv_shortcut": "nin_shortcut",
    "conv_norm_out": "norm_out",
}


def known(found):
    """{name: shape} without entries of other programs: schedules (names without a dot), averaged weights, positions, CLIP's rest.

    The names are the original's, see canonical().
    """
    flat = [name for name, shape in found.items() if ".mid.attn_1." in name and len(shape) == 2]
    found = {**found, **{name: (*found[name], 1, 1) for name in flat}}  # a matrix is accepted for a 1 x 1 convolution
    return {canonical(name): shape for name, shape in found.items() if "." in name and not UNUSED.fullmatch(name)}


def canonical(name):
    """The original's name of a tensor; some programs leave out a level in the text encoder's."""
    return SHORT.sub(PREFIX["text_encoder"], name)


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
