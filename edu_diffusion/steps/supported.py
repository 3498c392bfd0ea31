"""What the readable U-Net supports, class by class; anything else is refused, because its result would be wrong."""

from .validate import StepError

__all__ = []

# {class: {setting: the supported value or values}}, where a module is named by its class.
# Classes are known by name, since steps/ imports torch alone.
SUPPORTED = {
    "UNet2DConditionModel": {
        "class_embed_type": None, "num_class_embeds": None, "addition_embed_type": (None, "text_time"),
        "encoder_hid_dim_type": None, "time_cond_proj_dim": None, "time_embedding_type": "positional",
        "time_embedding_act_fn": None, "timestep_post_act": None, "center_input_sample": False,
        "act_fn": ("silu", "swish"),
    },
    "ControlNetModel": {
        "class_embed_type": None, "num_class_embeds": None, "addition_embed_type": (None, "text_time"),
        "encoder_hid_dim_type": None, "controlnet_conditioning_channel_order": "rgb",
        "global_pool_conditions": False, "act_fn": ("silu", "swish"),
    },
    "DownBlock2D": {}, "CrossAttnDownBlock2D": {}, "UNetMidBlock2DCrossAttn": {},
    "UpBlock2D": {"b1": None}, "CrossAttnUpBlock2D": {"b1": None},  # b1 is set when FreeU is switched on
    "ResnetBlock2D": {
        "nonlinearity": "SiLU", "time_embedding_norm": "default", "skip_time_act": False, "up": False,
        "down": False, "output_scale_factor": 1,
    },
    "Downsample2D": {"use_conv": True, "padding": 1},
    "Upsample2D": {"use_conv": True, "use_conv_transpose": False, "interpolate": True},
    "Transformer2DModel": {"is_input_continuous": True},
    "BasicTransformerBlock": {
        "norm_type": "layer_norm", "attn2": "Attention", "only_cross_attention": False, "pos_embed": None,
        "fuser": None,
    },
    "Attention": {
        "processor": ("AttnProcessor", "AttnProcessor2_0", "SlicedAttnProcessor", "XFormersAttnProcessor"),
        "scale_qk": True, "group_norm": None, "spatial_norm": None, "norm_cross": None, "norm_q": None,
        "norm_k": None, "residual_connection": False, "rescale_output_factor": 1,
    },
    "GEGLU": {},
}


def check_supported(part):
    """Raise ValueError unless the formulas here compute everything that this part of a model does."""
    kind = type(part).__name__
    if kind not in SUPPORTED:
        raise StepError(f"The readable U-Net does not support {kind}, only {', '.join(SUPPORTED)}; "
                         "call the library's own forward.")
    for name, wanted in SUPPORTED[kind].items():
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        if setting(part, name) not in wanted:
            raise StepError(f"This {kind} has {name} = {setting(part, name)!r}; the readable U-Net supports "
                             f"only {' or '.join(map(repr, wanted))}, so call the library's own forward.")


def setting(part, name):
    """Return a setting from a part's configuration or from the part itself; None if it has no such setting."""
    config = getattr(part, "config", {})
    value = config[name] if name in config else getattr(part, name, None)
    simple = value is None or isinstance(value, (bool, int, float, str))
    return value if simple else type(value).__name__


def check_inputs(unet, z_t, t, c):
    """Raise ValueError for a U-Net that is not supported, or for inputs that do not fit it or each other."""
    check_supported(unet)
    z, t, c = (tuple(getattr(x, "shape", ())) for x in (z_t, t, c))
    channels, width = unet.config.in_channels, unet.config.cross_attention_dim
    if len(z) != 4 or z[1] != channels:
        raise StepError(f"z_t has the shape {z}; it must be (B, {channels}, h, w).")
    if len(c) != 3 or c[0] != z[0] or (isinstance(width, int) and c[2] != width):
        raise StepError(f"c has the shape {c}; it must be ({z[0]}, tokens, {width}).")
    if t not in ((), (1,), z[:1]):
        raise StepError(f"t has the shape {t}; it must be one number, or ({z[0]},).")


def checked_edit(edit):
    """Wrap a caller's edit: it gets a copy, and a wrong result is refused; None changes nothing."""

    def call(name, x):
        y = x if edit is None else edit(name, x.clone())
        if not hasattr(y, "shape") or (y.shape, y.dtype) != (x.shape, x.dtype):
            got = f"{tuple(y.shape)}, {y.dtype}" if hasattr(y, "shape") else type(y).__name__
            raise StepError(f"edit({name!r}, x) returned {got}; it must return a tensor like x: "
                             f"{tuple(x.shape)}, {x.dtype}.")
        return y

    return call
