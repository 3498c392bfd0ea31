"""The names of a LoRA's tensors: which layer of the pipeline each of them belongs to.

    unet.mid_block.attentions.0.proj_in.lora_A.weight                  diffusers
    text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight     the same; with transformers 5 there is no text_model
    unet.[...].attn1.processor.to_q_lora.down.weight                   an older diffusers
    base_model.model.mid_block.attentions.0.proj_in.lora_A.weight      peft, of the U-Net or of the text encoder
    lora_unet_mid_block_attentions_0_proj_in.lora_down.weight          Kohya's programs; lora_te_ for the text encoder

The names are not translated by rules: every layer of the pipeline is listed under all the names that it can have in a file.
"""

import re

from torch import nn

PEFT = "base_model.model."
ENDINGS = {
    kind: re.compile(ending)
    for kind, ending in {
        "down": r"[._](lora_A|lora_A\.default|lora_down|lora\.down|lora_linear_layer\.down)\.weight$",
        "up": r"[._](lora_B|lora_B\.default|lora_up|lora\.up|lora_linear_layer\.up)\.weight$",
        "alpha": r"\.alpha$",
    }.items()
}
STARTS = {"unet": ["lora_unet_"], "text_encoder": ["lora_te_", "lora_te1_"]}
OLD = {"unet": {"to_out.0": "to_out"}, "text_encoder": {f"{x}_proj": f"to_{x}" for x in ("q", "k", "v", "out")}}
OTHERS = {  # part of a tensor's name: the kind of adapter
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    "oft_": "an OFT",
    "boft_": "a BOFT",
    "lora_mid": "a LoCon with a core tensor",
    "vera_lambda": "a VeRA",
    "ia3_l": "an IA3",
    "on_input": "an IA3",
    "lora_embedding_": "a LoRA of an embedding table",
    "lora_B.bias": "a LoRA with biases",
    ".diff": "a full difference of weights",
}


def other_kind(names):
    """The kind of adapter that a file holds instead of a LoRA, and one of its names: "a DoRA (it holds [...])"; "" for a LoRA."""
    found = ((kind, name) for part, kind in OTHERS.items() for name in names if part in name)
    return next((f"{kind} (it holds {name[:100]})" for kind, name in found), "")


def split(name):
    """(name of the layer in the file, "down", "up" or "alpha") of a tensor; None if it is none of them."""
    found = ((ending.search(name), kind) for kind, ending in ENDINGS.items())
    return next(((name[: match.start()].replace(".processor.", "."), kind) for match, kind in found if match), None)


def layers_by_name(pipe):
    """{name of a layer in a file: (part, its name in that part of the pipeline)}, for all its names."""
    table = {}
    for part in STARTS:
        for layer, module in getattr(pipe, part).named_modules():
            if isinstance(getattr(module, "base_layer", module), (nn.Linear, nn.Conv2d)):
                table |= dict.fromkeys(names_of(part, layer), (part, layer))
    return table


def names_of(part, layer):
    """All the names that a layer can have in a file."""
    short = layer.removeprefix("text_model.")
    for name in [short, f"text_model.{short}"] if part == "text_encoder" else [layer]:
        yield from (name, f"{part}.{name}", PEFT + name)
        yield from (start + name.replace(".", "_") for start in STARTS[part])
        yield from (f"{part}.{name.removesuffix(now)}{old}" for now, old in OLD[part].items() if name.endswith(f".{now}"))
