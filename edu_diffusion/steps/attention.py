"""Attention, and the transformer block through which the text conditions the picture.

`h`: a feature map (B, width, h, w). `x`: the same as tokens (B, N, width), one for each of N = h w positions.
"""

import torch.nn.functional as F

from .supported import check_supported

__all__ = ["attend", "multi_head_attention", "feed_forward", "spatial_transformer", "transformer_block"]


def multi_head_attention(q, k, v, bias=0.0):
    """Let every query gather the values whose keys resemble it.

    softmax(q k^T / sqrt(d) + bias) v: each row of the softmax holds the attention weights of one query

    q: (..., N, d). k: (..., M, d). v: (..., M, width). bias: (..., N, M), or broadcastable to it: log(2) lets a
    key count twice. Returns (..., N, width).
    Source: Vaswani et al. 2017, eq. 1. Twin: torch.nn.functional.scaled_dot_product_attention.
    """
    shares = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5 + bias).softmax(dim=-1)
    return shares @ v


def attend(attn, x, c=None):
    """Multi-head attention with the weights of an Attention module: tokens attend to c, or to each other.

    out(attention(q, k, v) of all heads, side by side), with q from x, and k, v from c (from x if c is None)

    attn: diffusers' Attention. x: (B, N, width). c: (B, M, width of c) or None. Returns (B, N, width).
    Raises ValueError for an Attention module with anything further, such as other norms or a custom processor.
    Source: Vaswani et al. 2017, section 3.2.2. Twin: diffusers.models.attention_processor.Attention.forward.
    """
    check_supported(attn)
    c = x if c is None else c
    q, k, v = (split_heads(y, attn.heads) for y in (attn.to_q(x), attn.to_k(c), attn.to_v(c)))
    linear, dropout = attn.to_out
    return dropout(linear(multi_head_attention(q, k, v).transpose(1, 2).flatten(2)))


def split_heads(x, heads):
    """(B, N, heads d) -> (B, heads, N, d): each head sees its own slice of the width."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def feed_forward(ff, x):
    """Process every token on its own: widen it, let one half gate the other (GEGLU), and narrow it again.

    linear(a * gelu(gate)), with (a, gate) = the two halves of proj(x)

    ff: diffusers' FeedForward with GEGLU. x: (B, N, width). Returns (B, N, width).
    Raises ValueError for another activation.
    Source: Shazeer 2020 (GLU variants), section 2. Twin: diffusers.models.attention.FeedForward.forward.
    """
    geglu, *rest = ff.net
    check_supported(geglu)
    a, gate = geglu.proj(x).chunk(2, dim=-1)
    x = a * F.gelu(gate)
    for layer in rest:  # dropout, linear
        x = layer(x)
    return x


def transformer_block(block, x, c):
    """Self-attention, cross-attention to the prompt, feed-forward: three residuals, each added to the block's tokens.

    block: diffusers' BasicTransformerBlock. x: (B, N, width). c: (B, tokens, width of c).
    Returns (B, N, width). Raises ValueError for a block with more or fewer layers.
    Source: Rombach et al. 2022, section 3.3. Twin: diffusers.models.attention.BasicTransformerBlock.forward.
    """
    check_supported(block)
    x = x + attend(block.attn1, block.norm1(x))  # self-attention
    x = x + attend(block.attn2, block.norm2(x), c)  # cross-attention: the text conditioning
    return x + feed_forward(block.ff, block.norm3(x))


def spatial_transformer(transformer, h, c):
    """Treat the positions of a feature map as tokens, run the transformer blocks, and add the result.

    h + proj_out(blocks(proj_in(norm(h)), c))

    A projection is a linear layer or (as in Stable Diffusion 1) a 1 x 1 convolution, which computes the same.
    transformer: diffusers' Transformer2DModel. h: (B, width, h, w). c: (B, tokens, width of c).
    Returns (B, width, h, w). Raises ValueError for a transformer of another kind.
    Source: Rombach et al. 2022, section 3.3. Twin: diffusers.Transformer2DModel.forward.
    """
    check_supported(transformer)
    linear, size = transformer.use_linear_projection, h.shape[-2:]
    x = transformer.norm(h)
    x = transformer.proj_in(tokens(x)) if linear else tokens(transformer.proj_in(x))
    for block in transformer.transformer_blocks:
        x = transformer_block(block, x, c)
    out = transformer.proj_out
    residual = feature_map(out(x), size) if linear else out(feature_map(x, size))
    return h + residual


def tokens(h):
    """(B, width, h, w) -> (B, h w, width)."""
    return h.flatten(2).transpose(1, 2)


def feature_map(x, size):
    """(B, h w, width) -> (B, width, h, w)."""
    return x.transpose(1, 2).unflatten(2, size)
