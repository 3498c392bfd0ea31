"""The texts of the map's boxes: title, sentence, line of code, lesson and glossary term."""

from collections.abc import Callable
from typing import NamedTuple

from ... import steps
from ...steps.text_to_image import context, noise_stream, predict

__all__ = ["Part", "part"]


class Part(NamedTuple):
    """marker: a part of the line that computes the box's tensor, in the source of `function`."""

    title: str
    words: str
    function: Callable
    marker: str
    lesson: str
    term: str
    module: str = ""  # the dotted name of the module with its parameters


PARTS = {
    "prompt": Part(
        "The prompt", "The text that describes the picture. No numbers yet.",
        context, "embed(pipe, prompts)", "00_start", "prompt"),
    "tokenizer": Part(
        "The tokenizer", "Splits the prompt into tokens, words or parts of words, each with its number (id).",
        steps.embed, "ids = pipe.tokenizer(", "05_clip", "token"),
    "text_encoder": Part(
        "The text encoder", "Turns each token into a vector, its embedding; the U-Net attends to these vectors.",
        steps.embed, "pipe.text_encoder(", "05_clip", "text encoder", "text_encoder"),
    "text_encoder_2": Part(
        "The second text encoder", "Reads the same prompt; its vectors are put beside the first one's.",
        steps.embed_xl, "answers.append(encoder(", "18_real_models", "pooled embedding", "text_encoder_2"),
    "add_embedding": Part(
        "The prompt's summary and the sizes", "One vector for the whole prompt, the picture's size and its crop: added to "
        "the time embedding.",
        steps.added_embedding, "mlp.linear_2(", "18_real_models", "size conditioning", "unet.add_embedding"),
    "noise": Part(
        "Pure noise", "Normally distributed random numbers, the start of every picture. The seed determines them.",
        noise_stream, "torch.randn(", "01_noise", "noise"),
    "z_t": Part(
        "The latent", "The compressed picture with the noise that is left at this step: the U-Net's input.",
        steps.generate, "z_t = z_s", "04_vae", "latent"),
    "time_embedding": Part(
        "The time embedding", "The timestep as a vector, which each ResNet block adds to its channels.",
        steps.unet_forward, '"temb"', "06_unet", "time embedding", "unet.time_embedding"),
    "unet": Part(
        "The U-Net", "Predicts the noise in the latent: with the prompt, and without it for guidance.",
        predict, "out = unet(", "06_unet", "U-Net", "unet"),
    "conv_in": Part(
        "The first convolution", "Turns the latent's few channels into many.",
        steps.unet_forward, "unet.conv_in(", "06_unet", "convolution", "unet.conv_in"),
    "down_blocks": Part(
        "A down block",
        "Convolutions and perhaps attention; stores skips, and halves the size unless it is the last.",
        steps.unet_forward, "down_block(", "06_unet", "downsampling"),
    "mid_block": Part(
        "The mid block", "The smallest feature maps, where each position sees most of the picture.",
        steps.unet_forward, "mid_block(", "06_unet", "bottleneck", "unet.mid_block"),
    "up_blocks": Part(
        "An up block", "Concatenates the skips, and doubles the size unless it is the last.",
        steps.unet_forward, "up_block(", "06_unet", "skip connection"),
    "conv_out": Part(
        "The last convolution", "Turns the many channels into the latent's few: the predicted noise.",
        steps.unet_forward, "unet.conv_out(", "06_unet", "prediction", "unet.conv_out"),
    "guidance": Part(
        "Guidance", "Extrapolates from the prediction without the prompt to the one with it, and beyond.",
        steps.guide, "return", "03_guidance", "guidance"),
    "scheduler": Part(
        "The scheduler", "Knows the noise schedule, and takes the latent to the next, less noisy timestep.",
        steps.generate, "z_s =", "07_schedulers", "scheduler"),
    "vae": Part(
        "The VAE's decoder", "Turns the small latent into a large picture, once, at the end.",
        steps.decode, "vae.decode(", "04_vae", "VAE", "vae.decoder"),
    "picture": Part(
        "The picture", "Numbers from -1 to 1 for red, green and blue; as bytes, a file.",
        steps.to_uint8, "torch.uint8", "08_pipeline", "pixel"),
    "controlnet": Part(
        "The ControlNet", "A copy of the U-Net's down blocks with the same prompt and timestep, which also gets the "
        "condition; its outputs are added to the U-Net's skips and mid block.",
        steps.control_forward, "* scale for h, conv in zip(", "11_controlnet", "ControlNet", "controlnet"),
    "condition": Part(
        "The condition", "A picture of edges, depth or a pose: the ControlNet's input.",
        steps.condition_embedding, "conv_in(condition", "11_controlnet", "condition"),
}


def part(name: str) -> Part:
    """Return the Part of a box, also of a numbered one such as down_blocks.1. Raises ValueError for other names."""
    kind, _, number = name.partition(".")
    if kind not in PARTS:
        raise ValueError(f"The map has no box {name!r}; its boxes are {', '.join(PARTS)}.")
    found = PARTS[kind]
    if not number:
        return found
    return found._replace(title=f"{found.title}, number {number}", module=f"unet.{name}")
