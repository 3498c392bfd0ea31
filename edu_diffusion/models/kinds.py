"""What a .safetensors file is, by the names of its tensors: a whole Stable Diffusion, one of its parts, or an adapter."""

import re

THREE = {
    "U-Net": r"model\.diffusion_model\.",
    "VAE": r"first_stage_model\.",
    "text encoder": r"(cond_stage_model|conditioner\.embedders\.\d+)\.",
}
WHOLE = "a file for load() holds U-Net, VAE and text encoder"
ADAPTER = re.compile(r"^(lora_unet|lora_te\d?|lycoris)_|\.(lora_A|lora_B|lora_embedding_A)\.|[._]lora\.(down|up)\."
                     r"|\.(lora_linear_layer|lora_down|lora_up|lora_mid|hada_|lokr_|oft_|dora_scale|lora_magnitude_vector)")
ADVICE = "load the folder or file that it belongs to"
KINDS = {  # what it is, and what to do with it: the beginning of one of its names
    "the refiner of Stable Diffusion XL, which has one text encoder and is not supported: load the base model":
        r"conditioner\.embedders\.0\.model\.",
    "a ControlNet alone: give load_control() the folder that it belongs to":
        r"control_model\.|controlnet_cond_embedding\.|input_hint_block\.",
    "a hypernetwork: give it to load_hyper()": r"\d+\.[kv]\.linear\.\d+\.",
    f"a U-Net alone, and {WHOLE}: {ADVICE}": r"(down_blocks\.\d+\.resnets\.\d+\.time_emb_proj|input_blocks\.\d)",
    f"a VAE alone, and {WHOLE}: {ADVICE}": r"decoder\.(up_blocks|mid_block|conv_in|up|mid)\.",
    "a whole CLIP: give load_clip() its folder": r"visual_projection\.|vision_model\.",
    f"a text encoder alone, and {WHOLE}: {ADVICE}": r"(text_model\.)?embeddings\.token_embedding\.",
}


def alone(found):
    """What a file is if it is not a whole Stable Diffusion, and what to do with it; "" for a whole one, and for unknown names.

    found: {name: shape} of its tensors.
    """
    own = [what for what, start in THREE.items() if begins(found, start)]
    if len(own) < 3 and any(ADAPTER.search(name) for name in found):
        return "a LoRA or another adapter: give it to load_lora()"
    if is_words(found):
        return "a textual inversion: give it to pipe.load_textual_inversion()"
    if kind := next((what for what, start in KINDS.items() if begins(found, start)), ""):
        return kind
    return f"a {' and a '.join(own)} alone, and {WHOLE}: {ADVICE}" if 0 < len(own) < 3 else ""


def begins(names, pattern):
    """Whether a name begins with the pattern."""
    return any(re.match(pattern, name) for name in names)


def is_words(found):
    """Whether a file holds nothing but the embeddings of new words, under the words' names or AUTOMATIC1111's."""
    plain = [name.removeprefix("string_to_param.") for name in found]
    return 1 <= len(plain) <= 2 and not any("." in name for name in plain) and all(1 <= len(shape) <= 2 for shape in found.values())
