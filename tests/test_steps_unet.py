"""The readable U-Net against the library's: random ones shaped like Stable Diffusion 1.5, and the base."""

from pathlib import Path

import pytest
import tiny
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0
from diffusers.models.embeddings import get_timestep_embedding
from diffusers.models.resnet import ResnetBlock2D
from tiny import twin
from torch.testing import assert_close

import edu_diffusion
from edu_diffusion import steps

BASE = Path(edu_diffusion.__file__).parent / "checkpoints" / "base"
NARROW = {
    "sample_size": 16,
    "block_out_channels": (16, 32, 32, 32),
    "norm_num_groups": 8,
    "cross_attention_dim": 24,
    "attention_head_dim": 4,
}  # types of blocks, and layers in each, are the defaults: those of Stable Diffusion 1.5


def built(cls, *args, seed=0, **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return cls(*args, **settings).eval()


def narrow(**changes):
    return built(UNet2DConditionModel, **{**NARROW, **changes})


def inputs(B=2, size=(16, 16), tokens=7, width=24, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    shapes = (B, 4, *size), (B, tokens, width)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def both(unet, z_t, t, c):
    return steps.unet_forward(unet, z_t, t, c), unet(z_t, t, c).sample


@pytest.fixture(scope="module")
def unet():
    return narrow()


@twin("timestep_embedding")
@pytest.mark.parametrize("t", [[0, 1, 500, 999], [0.5, 999.25], [7]])
@pytest.mark.parametrize("width", [4, 32, 320])
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("shift", [0, 1])
def test_timestep_embedding(t, width, flip, shift):
    want = get_timestep_embedding(torch.tensor(t), width, flip, shift)
    assert_close(steps.timestep_embedding(torch.tensor(t), width, flip, shift), want)


def test_timestep_embedding_defaults_are_stable_diffusions(unet):
    t = torch.tensor([0, 250, 999])
    assert_close(steps.timestep_embedding(t, 16), unet.time_proj(t))
    assert_close(steps.timestep_embedding(t[:1], 16), torch.tensor([[1.0] * 8 + [0.0] * 8]))
    with pytest.raises(ValueError, match="width is 15; it must be even"):
        steps.timestep_embedding(t, 15)


@twin("resnet_block")
@pytest.mark.parametrize("channels, out", [(8, 8), (8, 16)])
@pytest.mark.parametrize("shape, seed", [((1, 6, 6), 0), ((3, 4, 7), 1)])
@pytest.mark.parametrize("width", [12, None])
def test_resnet_block(channels, out, shape, seed, width):
    settings = {"in_channels": channels, "out_channels": out, "groups": 4, "temb_channels": width}
    block, (B, *size) = built(ResnetBlock2D, **settings).double(), shape
    h = torch.randn(B, channels, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    temb = None if width is None else h.flatten(1)[:, :width]
    assert_close(steps.resnet_block(block, h, temb), block(h, temb))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"up": True}, "ResnetBlock2D has up = True"),
        ({"down": True}, "ResnetBlock2D has down = True"),
        ({"skip_time_act": True}, "skip_time_act = True"),
        ({"non_linearity": "gelu"}, "nonlinearity = 'GELU'; .* supports only 'SiLU'"),
    ],
)
def test_resnet_blocks_with_more_to_them(changes, message):
    block = built(ResnetBlock2D, in_channels=8, groups=4, temb_channels=12, **changes)
    with pytest.raises(ValueError, match=message):
        steps.resnet_block(block, torch.zeros(1, 8, 4, 4), torch.zeros(1, 12))


def features(channels, B=2, size=(6, 6), seed=0):
    """A feature map, a time embedding and a text embedding."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(s, generator=generator) for s in ((B, channels, *size), (B, 64), (B, 7, 24))]


@twin("down_block")
@pytest.mark.parametrize("level, channels", [(0, 16), (1, 16), (3, 32)])  # 3: no attention, no downsampling
@pytest.mark.parametrize("size", [(6, 6), (5, 8)])
def test_down_block(unet, level, channels, size):
    block, (h, temb, c) = unet.down_blocks[level], features(channels, size=size)
    want, kept = block(h, temb) if level == 3 else block(h, temb, encoder_hidden_states=c)
    skips = ["what was there"]
    assert_close(steps.down_block(block, h, temb, c, skips), want)
    assert skips[0] == "what was there" and len(skips) == 1 + len(kept)
    assert_close(skips[1:], list(kept))


@twin("mid_block")
@pytest.mark.parametrize("B, size", [(1, (2, 2)), (3, (3, 5))])
def test_mid_block(unet, B, size):
    h, temb, c = features(32, B, size)
    want = unet.mid_block(h, temb, encoder_hidden_states=c)
    assert_close(steps.mid_block(unet.mid_block, h, temb, c), want)


@twin("up_block")
@pytest.mark.parametrize("level, own", [(0, (32, 32, 32)), (1, (32, 32, 32)), (3, (16, 16, 16))])
@pytest.mark.parametrize("size, larger", [((3, 3), (6, 6)), ((3, 4), (5, 8))])
def test_up_block(unet, level, own, size, larger):
    block, (h, temb, c) = unet.up_blocks[level], features(32, size=size)
    kept = [features(n, size=size, seed=i + 1)[0] for i, n in enumerate(own)]
    text = {} if level == 0 else {"encoder_hidden_states": c}
    want = block(h, tuple(kept), temb, upsample_size=larger, **text)
    skips = [torch.zeros(2, 16, *larger), *kept]
    assert_close(steps.up_block(block, h, temb, c, skips), want)
    assert len(skips) == 1


@twin("unet_forward")
@torch.no_grad()
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"use_linear_projection": True, "layers_per_block": 1},
        {"layers_per_block": (1, 2, 1, 3), "transformer_layers_per_block": 2, "attention_head_dim": (2, 4, 8, 4)},
        {"flip_sin_to_cos": False, "freq_shift": 1, "act_fn": "swish", "conv_in_kernel": 5, "in_channels": 9},
    ],
)
def test_unet_forward(changes):
    unet = narrow(**changes)
    for seed, (B, size, t) in enumerate(
        [
            (1, (16, 16), 999),
            (3, (8, 24), torch.tensor([0, 1, 500])),
            (2, (12, 10), torch.tensor([7])),  # halves of odd numbers on the way
            (2, (16, 16), 0.25),
            (1, (9, 16), torch.tensor(321)),
        ]
    ):
        z_t, c = inputs(B, size, tokens=5 + seed, seed=seed)
        z_t = z_t[:, torch.arange(unet.config.in_channels) % 4]
        got = steps.unet_forward(unet, z_t, t, c)
        assert_close(got, unet(z_t, t, c).sample)
        assert got.shape == (B, 4, *size)


@torch.no_grad()
def test_formulas_in_double_precision(unet):
    z_t, c = inputs(dtype=torch.float64)
    got, want = both(narrow().double(), z_t, 421, c)
    assert_close(got, want, rtol=1e-10, atol=1e-10)
    assert got.dtype == torch.float64


@torch.no_grad()
@pytest.mark.parametrize("dtype, far", [(torch.bfloat16, 0.05), (torch.float16, 0.01)])
def test_half_precision(dtype, far):
    z_t, c = inputs(dtype=dtype)
    got, want = both(narrow().to(dtype), z_t, 421, c)
    assert got.dtype == dtype
    assert_close(got, want, rtol=0, atol=far)


@torch.no_grad()
def test_the_tiny_pipelines_unet():
    z_t, c = inputs(width=32, size=(8, 8))
    assert_close(*both(tiny.pipeline().unet, z_t, torch.tensor([3, 900]), c))


@pytest.fixture(scope="module")
def base():
    from edu_diffusion import models

    if not BASE.exists():
        pytest.skip("checkpoints/base is not there yet")
    return models.load("base", device="cpu", dtype=torch.float32)


@torch.no_grad()
def test_the_shipped_base(base):
    cases = [(1, (16, 16), 999), (2, (16, 24), torch.tensor([1, 480])), (3, (7, 16), 0)]
    for seed, (B, size, t) in enumerate(cases):
        c = steps.embed(base, ["a cat face on a blue background", "", "two dogs"][:B])
        z_t, _ = inputs(B, size, seed=seed)
        assert_close(*both(base.unet, z_t, t, c))


@torch.no_grad()
def test_without_its_skips_the_base_is_worse(base):
    from edu_diffusion.data import scenes

    some, abar_t = scenes.batch(8, seed=5), base.scheduler.alphas_cumprod[500]
    z_0, c = base.vae.encode(some.images).latent_dist.mean, steps.embed(base, some.captions)
    z_0 = z_0 * base.vae.config.scaling_factor
    eps = torch.randn(z_0.shape, generator=torch.Generator().manual_seed(0))
    z_t = steps.q_sample(z_0, eps, abar_t)

    def error(edit=None):
        out = steps.unet_forward(base.unet, z_t, 500, c, edit)
        return (steps.to_eps(out, z_t, abar_t, base.scheduler.config.prediction_type) - eps).square().mean()

    assert error(lambda name, x: x * 0 if name.startswith("skip") else x) > 2 * error()


def test_gradients_flow(unet):
    z_t, c = (x.requires_grad_() for x in inputs(B=1))
    got, want = (torch.autograd.grad(out.square().sum(), [z_t, c]) for out in both(unet, z_t, 5, c))
    assert_close(got, want)


@torch.no_grad()
def test_dropout_falls_alike():
    unet, (z_t, c) = narrow(dropout=0.5).train(), inputs()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        got = steps.unet_forward(unet, z_t, 5, c)
        torch.manual_seed(0)
        assert_close(got, unet(z_t, 5, c).sample)
        assert not torch.equal(got, steps.unet_forward(unet, z_t, 5, c))


@torch.no_grad()
def test_adapters_count():
    from peft import LoraConfig

    unet, (z_t, c) = narrow(use_linear_projection=False), inputs()
    before = steps.unet_forward(unet, z_t, 5, c)
    targets = ["to_q", "to_v", "to_out.0", "proj_in", "conv1", "ff.net.0.proj", "time_emb_proj"]
    unet.add_adapter(LoraConfig(r=4, target_modules=targets, init_lora_weights=False))
    got, want = both(unet, z_t, 5, c)
    assert_close(got, want)
    assert (got - before).abs().max() > 0.01


@torch.no_grad()
def test_edit_sees_every_place_once(unet):
    z_t, c = inputs()
    seen = []
    steps.unet_forward(unet, z_t, 5, c, edit=lambda name, x: seen.append((name, tuple(x.shape))) or x)
    places = {
        "down": [(16, 8), (32, 4), (32, 2), (32, 2)],
        "skip": [(16, 16)] * 3 + [(16, 8)] + [(32, 8)] * 2 + [(32, 4)] * 3 + [(32, 2)] * 3,
        "mid": [(32, 2)],
        "up": [(32, 4), (32, 8), (32, 16), (16, 16)],
    }
    want = [(f"{place}.{i}", (2, width, edge, edge)) for place, maps in places.items() for i, (width, edge) in enumerate(maps)]
    assert [(name.replace("mid", "mid.0"), shape) for name, shape in seen] == [("temb", (2, 64)), *want]


@torch.no_grad()
def test_what_edit_sees_is_what_the_librarys_blocks_make():
    unet, (z_t, c), made, seen = narrow(), inputs(), {}, {}
    parts = {"temb": unet.time_embedding, "skip.0": unet.conv_in, "mid": unet.mid_block}
    parts |= {f"down.{i}": block for i, block in enumerate(unet.down_blocks)}
    parts |= {f"up.{i}": block for i, block in enumerate(unet.up_blocks)}
    for name, part in parts.items():
        part.register_forward_hook(lambda *a, name=name: made.update({name: a[2]}))
    unet(z_t, 5, c)
    steps.unet_forward(unet, z_t, 5, c, edit=lambda name, x: seen.setdefault(name, x))
    for name, out in made.items():
        assert_close(seen[name], out[0] if isinstance(out, tuple) else out)
    kept = [unet.conv_in(z_t), *(x for i in range(4) for x in made[f"down.{i}"][1])]
    assert_close([seen[f"skip.{i}"] for i in range(len(kept))], kept)


@torch.no_grad()
def test_a_controlnet_adds_at_the_skips_and_at_mid(unet):
    z_t, c = inputs()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        control = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 16))
        for layer in (*control.controlnet_down_blocks, control.controlnet_mid_block):
            torch.nn.init.normal_(layer.weight, std=0.1)  # no longer zero convolutions
    down, mid = control(z_t, 5, c, torch.rand(2, 3, 64, 64), return_dict=False)
    residuals = {"mid": mid} | {f"skip.{i}": residual for i, residual in enumerate(down)}
    got = steps.unet_forward(unet, z_t, 5, c, edit=lambda name, x: x + residuals.get(name, 0))
    want = unet(z_t, 5, c, down_block_additional_residuals=down, mid_block_additional_residual=mid).sample
    assert_close(got, want)
    assert (got - steps.unet_forward(unet, z_t, 5, c)).abs().max() > 0.01


@torch.no_grad()
@pytest.mark.parametrize("place", ["temb", "down.0", "down.3", "skip.0", "skip.11", "mid", "up.0", "up.3"])
def test_every_place_matters(unet, place):
    z_t, c = inputs()
    want = unet(z_t, 5, c).sample
    without = steps.unet_forward(unet, z_t, 5, c, edit=lambda name, x: x * 0 if name == place else x)
    assert (without - want).abs().max() > 1e-3


@torch.no_grad()
def test_edit_gets_a_copy(unet):
    """To change the tensor that it is given changes what goes on, and not the skip that holds the same."""
    (z_t, c), seen = inputs(), {}
    steps.unet_forward(unet, z_t, 5, c, edit=lambda name, x: seen.setdefault(name, x.clone()))
    again = {}

    def zero(name, x):
        return x.zero_() if name == "down.0" else again.setdefault(name, x)

    steps.unet_forward(unet, z_t, 5, c, edit=zero)
    assert_close(again["skip.3"], seen["skip.3"])  # the same tensor as down.0
    assert not torch.equal(again["mid"], seen["mid"])


@pytest.mark.parametrize(
    "result, message",
    [
        (None, r"edit\('down.1', x\) returned NoneType; it must return a tensor like x: \(2, 32, 4, 4\), "),
        (torch.zeros(2, 32, 2, 2), r"edit\('down.1', x\) returned \(2, 32, 2, 2\), torch.float32"),
        (torch.zeros(2, 32, 4, 4).double(), r"torch.float64; it must return"),
    ],
)
def test_a_wrong_edit(unet, result, message):
    with pytest.raises(ValueError, match=message):
        z_t, c = inputs()
        steps.unet_forward(unet, z_t, 5, c, edit=lambda name, x: result if name == "down.1" else x)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"num_class_embeds": 3}, "UNet2DConditionModel has num_class_embeds = 3; .* supports only None"),
        ({"class_embed_type": "timestep"}, "class_embed_type = 'timestep'"),
        ({"addition_embed_type": "text"}, "addition_embed_type = 'text'"),
        ({"encoder_hid_dim": 5}, "encoder_hid_dim_type = 'text_proj'"),
        ({"time_cond_proj_dim": 8}, "time_cond_proj_dim = 8"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type = 'fourier'"),
        ({"time_embedding_act_fn": "silu"}, "time_embedding_act_fn = 'silu'"),
        ({"timestep_post_act": "silu"}, "timestep_post_act = 'silu'"),
        ({"center_input_sample": True}, "center_input_sample = True"),
        ({"act_fn": "gelu"}, "act_fn = 'gelu'; the readable U-Net supports only 'silu' or 'swish'"),
        ({"resnet_time_scale_shift": "scale_shift"}, "ResnetBlock2D has time_embedding_norm = 'scale_shift'"),
        ({"mid_block_scale_factor": 2}, "ResnetBlock2D has output_scale_factor = 2"),
        ({"downsample_padding": 0}, "Downsample2D has padding = 0"),
        ({"dual_cross_attention": True}, "does not support DualTransformer2DModel"),
        ({"only_cross_attention": True}, "BasicTransformerBlock has only_cross_attention = True"),
        ({"mid_block_type": "UNetMidBlock2D"}, "does not support UNetMidBlock2D,"),
        ({"mid_block_type": None}, "does not support NoneType"),
        ({"down_block_types": ("ResnetDownsampleBlock2D",) * 4}, "does not support ResnetDownsampleBlock2D"),
        ({"up_block_types": ("AttnUpBlock2D",) * 4}, "does not support AttnUpBlock2D"),
    ],
)
def test_unets_with_more_to_them(changes, message):
    z_t, c = inputs(B=1)
    with pytest.raises(ValueError, match=message):
        steps.unet_forward(narrow(layers_per_block=1, **changes), z_t, 5, c)


def test_freeu_and_own_attention_processors():
    unet, (z_t, c) = narrow(layers_per_block=1), inputs(B=1)
    unet.enable_freeu(s1=0.9, s2=0.2, b1=1.2, b2=1.4)
    with pytest.raises(ValueError, match="UpBlock2D has b1 = 1.2"):
        steps.unet_forward(unet, z_t, 5, c)
    unet.disable_freeu()
    steps.unet_forward(unet, z_t, 5, c)
    unet.set_attn_processor(type("Shared", (AttnProcessor2_0,), {})())
    with pytest.raises(ValueError, match="Attention has processor = 'Shared'"):
        steps.unet_forward(unet, z_t, 5, c)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"z_t": torch.zeros(4, 16, 16)}, r"z_t has the shape \(4, 16, 16\); it must be \(B, 4, h, w\)"),
        ({"z_t": torch.zeros(2, 3, 16, 16)}, r"z_t has the shape \(2, 3, 16, 16\)"),
        ({"c": torch.zeros(1, 7, 24)}, r"c has the shape \(1, 7, 24\); it must be \(2, tokens, 24\)"),
        ({"c": torch.zeros(2, 7, 768)}, r"c has the shape \(2, 7, 768\)"),
        ({"c": torch.zeros(7, 24)}, r"c has the shape \(7, 24\)"),
        ({"c": None}, r"c has the shape \(\)"),
        ({"t": torch.tensor([1, 2, 3])}, r"t has the shape \(3,\); it must be one number, or \(2,\)"),
    ],
)
def test_wrong_inputs(unet, wrong, message):
    z_t, c = inputs()
    with pytest.raises(ValueError, match=message):
        steps.unet_forward(unet, **{"z_t": z_t, "t": 5, "c": c, **wrong})
