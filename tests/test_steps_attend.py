"""The readable transformer against the library's, on the library's own modules with random weights."""

import pytest
import torch
import torch.nn.functional as F
from diffusers import Transformer2DModel
from diffusers.models.attention import BasicTransformerBlock, FeedForward
from diffusers.models.attention_processor import Attention, AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

SIZES = pytest.mark.parametrize("B, N, M, seed", [(1, 9, 5, 0), (3, 16, 16, 1), (2, 1, 7, 2)])


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(cls, *args, seed=0, **settings):
    """A module of the library with random weights, also where it would start with ones and zeros."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = cls(*args, **settings).double().eval()
        for p in module.parameters():
            torch.nn.init.normal_(p, std=0.3)
    return module


@twin("multi_head_attention")
@SIZES
@pytest.mark.parametrize("heads, d", [((), 8), ((4,), 3)])
def test_attention(B, N, M, seed, heads, d):
    q, k, v = random(B, *heads, N, d, seed=seed), random(B, *heads, M, d, seed=7), random(B, *heads, M, 6)
    assert_close(steps.multi_head_attention(q, k, v), F.scaled_dot_product_attention(q, k, v))
    bias = random(N, M, seed=3)
    assert_close(steps.multi_head_attention(q, k, v, bias), F.scaled_dot_product_attention(q, k, v, attn_mask=bias))


def test_attention_with_large_scores():
    q = torch.tensor([[1e4, 0.0], [0.0, 1e4]])
    assert_close(steps.multi_head_attention(q, q, torch.eye(2)), torch.eye(2))


@twin("attend")
@SIZES
@pytest.mark.parametrize("processor", [AttnProcessor(), AttnProcessor2_0(), SlicedAttnProcessor(1)])
@pytest.mark.parametrize("heads, bias", [(1, False), (4, True)])
def test_attend(B, N, M, seed, processor, heads, bias):
    x, c = random(B, N, 24, seed=seed), random(B, M, 10, seed=9)
    crossed = built(Attention, 24, 10, heads=heads, dim_head=6, bias=bias, processor=processor)
    assert_close(steps.attend(crossed, x, c), crossed(x, c))
    itself = built(Attention, 24, heads=heads, dim_head=6, bias=bias, processor=processor)
    assert_close(steps.attend(itself, x), itself(x))


@twin("feed_forward")
@SIZES
@pytest.mark.parametrize("final", [False, True])
def test_feed_forward(B, N, M, seed, final):
    ff, x = built(FeedForward, 12, final_dropout=final), random(B, N, 12, seed=seed)
    assert_close(steps.feed_forward(ff, x), ff(x))


@twin("transformer_block")
@SIZES
def test_transformer_block(B, N, M, seed):
    block = built(BasicTransformerBlock, 12, 3, 4, cross_attention_dim=10)
    x, c = random(B, N, 12, seed=seed), random(B, M, 10)
    assert_close(steps.transformer_block(block, x, c), block(x, encoder_hidden_states=c))


@twin("spatial_transformer")
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("B, size, layers", [(1, (4, 4), 1), (3, (5, 2), 2)])
def test_spatial_transformer(linear, B, size, layers):
    settings = {"use_linear_projection": linear, "num_layers": layers, "norm_num_groups": 4}
    transformer = built(Transformer2DModel, 3, 4, in_channels=12, cross_attention_dim=10, **settings)
    h, c = random(B, 12, *size), random(B, 7, 10)
    got = steps.spatial_transformer(transformer, h, c)
    assert_close(got, transformer(h, encoder_hidden_states=c, return_dict=False)[0])
    assert got.shape == h.shape


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"residual_connection": True}, "Attention has residual_connection = True; .* supports only False"),
        ({"norm_num_groups": 2}, "group_norm = 'GroupNorm'"),
        ({"qk_norm": "layer_norm"}, "norm_q = 'LayerNorm'"),
        ({"rescale_output_factor": 2.0}, "rescale_output_factor = 2.0; .* supports only 1"),
        ({"scale_qk": False}, "scale_qk = False"),
        ({"spatial_norm_dim": 8}, "spatial_norm = 'SpatialNorm'"),
        ({"cross_attention_norm": "layer_norm"}, "norm_cross = 'LayerNorm'"),
    ],
)
def test_attention_with_more_to_it(settings, message):
    with pytest.raises(ValueError, match=message):
        steps.attend(built(Attention, 32, heads=2, dim_head=4, **settings), random(1, 4, 32))


def test_a_processor_of_its_own():
    class Louder(AttnProcessor2_0):
        def __call__(self, attn, x, *args):
            return 2 * super().__call__(attn, x, *args)

    with pytest.raises(ValueError, match="Attention has processor = 'Louder'"):
        steps.attend(built(Attention, 8, heads=2, dim_head=4, processor=Louder()), random(1, 4, 8))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"only_cross_attention": True}, "only_cross_attention = True"),
        ({"cross_attention_dim": None}, "attn2 = None"),
        ({"norm_type": "ada_norm", "num_embeds_ada_norm": 5}, "norm_type = 'ada_norm'"),
        ({"positional_embeddings": "sinusoidal", "num_positional_embeddings": 9}, "pos_embed = 'Sinusoidal"),
        ({"attention_type": "gated"}, "fuser = 'GatedSelfAttentionDense'"),
    ],
)
def test_transformer_blocks_with_more_or_less_to_them(settings, message):
    block = built(BasicTransformerBlock, 12, 3, 4, **{"cross_attention_dim": 12, **settings})
    with pytest.raises(ValueError, match=message):
        steps.transformer_block(block, random(1, 4, 12), random(1, 4, 12))


def test_a_transformer_of_codes_instead_of_pictures():
    transformer = built(Transformer2DModel, 2, 4, num_vector_embeds=5, sample_size=4)
    with pytest.raises(ValueError, match="Transformer2DModel has is_input_continuous = False"):
        steps.spatial_transformer(transformer, random(1, 8, 4, 4), random(1, 4, 8))


def test_another_activation():
    with pytest.raises(ValueError, match="does not support GELU, only UNet2DConditionModel,"):
        steps.feed_forward(built(FeedForward, 12, activation_fn="gelu"), random(1, 4, 12))
