"""The U-Net: down through smaller and smaller feature maps, and up again, with skip connections at every level.

Two things are easily confused. A *skip* is a feature map of the downsampling path that is stored and
*concatenated* in the upsampling path: the next block gets both. A *residual* is the output of some layers,
*added* to their input. Picture, time and text come in by three routes: the noisy latent is the input, the time
embedding is added in every ResNet block, and the text is attended to in every transformer (cross-attention).

`h`: a feature map (B, channels, h, w). `temb`: the time embedding (B, width). `skips`: a list, used as a stack.
Blocks and weights are the library's own. Their layers are called one by one, so a hook on a whole block never runs.
"""

import math

import torch
import torch.nn.functional as F

from .attention import spatial_transformer
from .sdxl import added_embedding, is_xl
from .supported import check_inputs, check_supported, checked_edit
from .validate import StepError

__all__ = ["down_block", "mid_block", "resnet_block", "timestep_embedding", "unet_forward", "up_block"]


def unet_forward(unet, z_t, t, c, edit=None, added=None):
    """Predict the noise in a latent (or v, or z_0, whichever the U-Net was trained for).

    conv_in, down (keep the skips), mid, up (concatenate the skips), conv_out

    unet: diffusers' UNet2DConditionModel. z_t: (B, 4, h, w). t: a number, or (B,). c: (B, tokens, width).
    edit: your own function (name, tensor) -> tensor of the same shape, to look inside or to change something.
    Its names, in this order: "temb"; "down.0", "down.1", ... what each block passes to the next (not its
    skips); "skip.0" (made by conv_in), "skip.1", ... once all are there; "mid"; "up.0", "up.1", ...
    A ControlNet adds its residuals at every skip and at "mid".
    added: for Stable Diffusion XL, {"text_embeds": (B, width), "time_ids": (B, 6)}; see sdxl.py.
    Returns (B, 4, h, w). Raises ValueError for a U-Net with further inputs or other blocks, or wrong shapes.
    Source: Ronneberger et al. 2015, figure 1; Rombach et al. 2022, section 3.3.
    Twin: diffusers.UNet2DConditionModel.forward.
    """
    check_inputs(unet, z_t, t, c)
    edit = checked_edit(edit)
    temb = edit("temb", time_embedding(unet, t, z_t, added))
    h = unet.conv_in(z_t)
    skips = [h]
    for i, block in enumerate(unet.down_blocks):
        h = edit(f"down.{i}", down_block(block, h, temb, c, skips))
    skips = [edit(f"skip.{i}", skip) for i, skip in enumerate(skips)]
    h = edit("mid", mid_block(unet.mid_block, h, temb, c))
    for i, block in enumerate(unet.up_blocks):
        h = edit(f"up.{i}", up_block(block, h, temb, c, skips))
    return unet.conv_out(F.silu(unet.conv_norm_out(h)))


def timestep_embedding(t, width, flip_sin_to_cos=True, freq_shift=0):
    """Encode a timestep as waves, fast and slow, that a network can read like the hands of a clock.

    (cos(t f_i), sin(t f_i)), with f_i = 10000^(-i / (width / 2 - freq_shift)), i = 0, 1, ..., width / 2 - 1

    flip_sin_to_cos, freq_shift: the defaults are Stable Diffusion's; without the flip the sines come first.
    t: (B,). width: an even number, or ValueError is raised. Returns (B, width), float32, in [-1, 1].
    Source: Vaswani et al. 2017, section 3.5; Ho et al. 2020, appendix B.
    Twin: diffusers.models.embeddings.get_timestep_embedding.
    """
    if width % 2:
        raise StepError(f"width is {width}; it must be even, half for the cosines and half for the sines.")
    i = torch.arange(width // 2, device=t.device)
    f = torch.exp(-math.log(10000) * i / (width // 2 - freq_shift))
    waves = [torch.cos(t[:, None] * f), torch.sin(t[:, None] * f)]
    return torch.cat(waves if flip_sin_to_cos else waves[::-1], dim=1)


def time_embedding(unet, t, z_t, added=None):
    """Pass the sinusoidal embedding of t through a small network of two layers: temb, (B, width).

    Stable Diffusion XL adds its further conditioning to it.
    """
    t, config = torch.as_tensor(t, device=z_t.device).expand(len(z_t)), unet.config
    waves = timestep_embedding(t, unet.time_proj.num_channels, config.flip_sin_to_cos, config.freq_shift)
    mlp = unet.time_embedding
    temb = mlp.linear_2(F.silu(mlp.linear_1(waves.to(z_t.dtype))))
    return temb + added_embedding(unet, added, z_t) if is_xl(unet) else temb


def resnet_block(block, h, temb=None):
    """Two convolutions with the time embedding added in between; their output is a residual, added to the input.

    shortcut(h) + conv2(silu(norm2(conv1(silu(norm1(h))) + time_emb_proj(silu(temb)))))

    The shortcut is h itself, or a 1 x 1 convolution where the number of channels changes.
    block: diffusers' ResnetBlock2D. h: (B, channels, h, w). temb: (B, width), or None in a VAE's block.
    Returns (B, channels out, h, w). Raises ValueError for a block of another kind.
    Source: He et al. 2016, eq. 1 and 2; Ho et al. 2020, appendix B.
    Twin: diffusers.models.resnet.ResnetBlock2D.forward.
    """
    check_supported(block)
    shortcut = h if block.conv_shortcut is None else block.conv_shortcut(h)
    residual = block.conv1(F.silu(block.norm1(h)))
    if block.time_emb_proj is not None:
        residual = residual + block.time_emb_proj(F.silu(temb))[:, :, None, None]
    residual = block.conv2(block.dropout(F.silu(block.norm2(residual))))
    return shortcut + residual


def down_block(block, h, temb, c, skips):
    """One level of the downsampling path: ResNet blocks (and transformers), then half the size; each output is a skip.

    block: diffusers' DownBlock2D or CrossAttnDownBlock2D. h: (B, channels, h, w). temb: (B, width).
    c: (B, tokens, width of c). skips: a list; this level's feature maps are appended to it.
    Returns (B, channels out, h / 2, w / 2); the last level keeps h and w. Raises ValueError for other blocks.
    Source: Ronneberger et al. 2015, section 2.
    Twin: diffusers.models.unets.unet_2d_blocks.CrossAttnDownBlock2D.forward.
    """
    check_supported(block)
    for resnet, transformer in layers(block):
        h = layer(resnet, transformer, h, temb, c)
        skips.append(h)
    for downsampler in block.downsamplers or []:
        check_supported(downsampler)
        h = downsampler.conv(h)  # stride 2
        skips.append(h)
    return h


def mid_block(block, h, temb, c):
    """The bottom of the U: a ResNet block, a transformer, a ResNet block; the size stays.

    block: diffusers' UNetMidBlock2DCrossAttn. h, temb, c: as in down_block. Returns like h.
    Raises ValueError for another block.
    Source: Rombach et al. 2022, section 3.3.
    Twin: diffusers.models.unets.unet_2d_blocks.UNetMidBlock2DCrossAttn.forward.
    """
    check_supported(block)
    h = resnet_block(block.resnets[0], h, temb)
    for transformer, resnet in zip(block.attentions, block.resnets[1:], strict=True):
        h = resnet_block(resnet, spatial_transformer(transformer, h, c), temb)
    return h


def up_block(block, h, temb, c, skips):
    """One level of the upsampling path: before each ResNet block the last skip is concatenated; then twice the size.

    block: diffusers' UpBlock2D or CrossAttnUpBlock2D. h, temb, c: as in down_block.
    skips: a list. This level's are taken off its end; the last one left belongs to the next level and gives the
    target size: twice h and w, or one less where an odd number was halved.
    Returns (B, channels out, 2 h, 2 w); the last level keeps h and w. Raises ValueError for other blocks.
    Source: Ronneberger et al. 2015, section 2.
    Twin: diffusers.models.unets.unet_2d_blocks.CrossAttnUpBlock2D.forward.
    """
    check_supported(block)
    for resnet, transformer in layers(block):
        h = torch.cat([h, skips.pop()], dim=1)
        h = layer(resnet, transformer, h, temb, c)
    for upsampler in block.upsamplers or []:
        check_supported(upsampler)
        h = upsampler.conv(F.interpolate(h, size=skips[-1].shape[-2:], mode="nearest"))
    return h


def layers(block):
    """Return pairs (ResNet block, transformer); the transformer is None in blocks without attention."""
    return zip(block.resnets, getattr(block, "attentions", [None] * len(block.resnets)), strict=True)


def layer(resnet, transformer, h, temb, c):
    """Run one ResNet block, and the transformer after it, if there is one."""
    h = resnet_block(resnet, h, temb)
    return h if transformer is None else spatial_transformer(transformer, h, c)
