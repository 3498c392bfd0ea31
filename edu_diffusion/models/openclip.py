"""The key names of OpenCLIP's text encoders, which are in the original files of Stable Diffusion 2 and XL.

    transformer.resblocks.0.attn.in_proj_weight     queries, keys and values in one matrix, one below the other
    transformer.resblocks.0.mlp.c_fc.weight
    positional_embedding
    text_projection                                 transposed

Stable Diffusion 2 uses the output of the last layer but one; its file has the last one nevertheless.
"""

import re

ATTENTION = re.compile(r"(.*\.)self_attn\.([qkv])_proj\.(weight|bias)")
TABLE = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn": "attn",
    "encoder.layers": "transformer.resblocks",
    "embeddings.token_embedding": "token_embedding",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final",
    "text_projection.weight": "text_projection",
}


def original(name):
    """(the original's name of a tensor of the library's text encoder, its third there: 0 to 2, or None for all of it)"""
    inside = name.removeprefix("text_model.")
    if found := ATTENTION.fullmatch(inside):
        before, letter, kind = found.groups()
        return renamed(f"{before}attn.in_proj_{kind}"), "qkv".index(letter)
    return renamed(inside), None


def renamed(name):
    """A dotted name with every entry of the table replaced."""
    name = f".{name}."
    for old, new in TABLE.items():
        name = name.replace(f".{old}.", f".{new}.")
    return name[1:-1]


def shape(name, tensor):
    """The shape of the original's tensor that holds a tensor of the library's."""
    where, third = original(name)
    sizes = tuple(tensor.shape)
    if third is not None:
        return (3 * sizes[0], *sizes[1:])
    return sizes[::-1] if where == "text_projection" else sizes


def taken(name, tensor):
    """The library's tensor of a name, out of the original's that holds it."""
    where, third = original(name)
    if third is not None:
        return tensor.chunk(3)[third].contiguous()
    return tensor.T.contiguous() if where == "text_projection" else tensor


def unused(prefix, layers):
    """The pattern of names that belong to the original's encoder and are not used: those of its last layer and of CLIP."""
    return re.compile(re.escape(prefix) + rf"(transformer\.resblocks\.{layers}\..*|logit_scale|text_projection|attn_mask)")
