"""What the map says of each of its boxes: a title, a sentence, the line of ours, lesson and term."""

from typing import NamedTuple

from .. import steps
from ..steps.generate import context, draws, predict

__all__ = ["Part", "part"]


class Part(NamedTuple):
    """marker: what the line that makes the box's tensor contains, in the source of `function`."""

    title: str
    words: str
    function: object
    marker: str
    lesson: str
    term: str
    module: str = ""  # the dotted name of what holds its parameters


PARTS = {
    "prompt": Part(
        "The prompt", "Words, all that a person says to the machine. No numbers yet.",
        context, "embed(pipe, prompts)", "00_start", "prompt"),
    "tokenizer": Part(
        "The tokenizer", "Cuts the prompt into pieces of words, and gives each its number.",
        steps.embed, "ids = pipe.tokenizer(", "05_clip", "token"),
    "text_encoder": Part(
        "The text encoder", "Makes a row of numbers of each token; the U-Net looks at these rows.",
        steps.embed, "pipe.text_encoder(", "05_clip", "text encoder", "text_encoder"),
    "noise": Part(
        "Pure noise", "Normally distributed numbers, where every picture begins. The seed decides them.",
        draws, "torch.randn(", "01_noise", "noise"),
    "z_t": Part(
        "The latent", "The picture in small, with the noise that is left at this step: the U-Net's input.",
        steps.generate, "z_t = z_s", "04_vae", "latent"),
    "time_embedding": Part(
        "The time embedding", "The level of noise, as numbers that each ResNet block adds to its channels.",
        steps.unet_forward, '"temb"', "06_unet", "time embedding", "unet.time_embedding"),
    "unet": Part(
        "The U-Net", "Asked what in the latent is noise: with the prompt, and without it for guidance.",
        predict, "out = unet(", "06_unet", "U-Net", "unet"),
    "conv_in": Part(
        "The first convolution", "Makes many channels of the latent's few.",
        steps.unet_forward, "unet.conv_in(", "06_unet", "convolution", "unet.conv_in"),
    "down_blocks": Part(
        "A block on the way down",
        "Convolutions, perhaps attention; keeps skips, and halves the size unless it is the last.",
        steps.unet_forward, "down_block(", "06_unet", "downsampling"),
    "mid_block": Part(
        "The middle of the U", "The smallest maps, where each place sees most of the picture.",
        steps.unet_forward, "mid_block(", "06_unet", "bottleneck", "unet.mid_block"),
    "up_blocks": Part(
        "A block on the way up", "Concatenates the skips, and doubles the size unless it is the last.",
        steps.unet_forward, "up_block(", "06_unet", "skip connection"),
    "conv_out": Part(
        "The last convolution", "Makes the latent's few channels of the many: the prediction.",
        steps.unet_forward, "unet.conv_out(", "06_unet", "prediction", "unet.conv_out"),
    "guidance": Part(
        "Guidance", "From the prediction without the prompt to the one with it, and beyond.",
        steps.guide, "return", "03_guidance", "guidance"),
    "scheduler": Part(
        "The scheduler", "Knows the levels of noise, and takes the latent to the next, cleaner one.",
        steps.generate, "z_s =", "07_schedulers", "scheduler"),
    "vae": Part(
        "The VAE's decoder", "Makes a large picture of the small latent, once, at the end.",
        steps.decode, "vae.decode(", "04_vae", "VAE", "vae.decoder"),
    "picture": Part(
        "The picture", "Numbers from -1 to 1 for red, green and blue; as bytes, a file.",
        steps.to_uint8, "torch.uint8", "08_pipeline", "pixel"),
    "controlnet": Part(
        "The ControlNet", "A copy of the way down, told the same prompt and time, that also sees the "
        "condition; what it finds is added to the U-Net's skips and to its middle.",
        steps.control_forward, "* scale for h, conv in zip(", "11_controlnet", "ControlNet", "controlnet"),
    "condition": Part(
        "The condition", "A picture of lines, depth or poses that the ControlNet is shown.",
        steps.condition_embedding, "conv_in(condition", "11_controlnet", "condition"),
}


def part(name):
    """The Part of a box, also of one of several such as down_blocks.1. Raises ValueError for other names."""
    kind, _, number = name.partition(".")
    if kind not in PARTS:
        raise ValueError(f"The map has no box {name!r}; its boxes are {', '.join(PARTS)}.")
    found = PARTS[kind]
    if not number:
        return found
    return found._replace(title=f"{found.title}, number {number}", module=f"unet.{name}")
