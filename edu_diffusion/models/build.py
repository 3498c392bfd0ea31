"""The configurations of the tiny Stable Diffusion.

Every object here is a genuine diffusers or transformers object; only the sizes are ours.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .prompts import guard_prompts
from .silence import pipeline_class

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, DDIMScheduler, SchedulerMixin, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer

TOKENS, WIDTH = 48, 128  # tokens in a prompt, width of a text embedding (SD 1.5: 77 and 768)
PARTS = ("vae", "text_encoder", "tokenizer", "unet", "scheduler")


def build_vae() -> "AutoencoderKL":
    """AutoencoderKL, 0.7 M parameters: (3, 64, 64) <-> (4, 16, 16)."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(16, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,  # 32 everywhere else; the first width, 16, does not allow it
        sample_size=64,
        scaling_factor=1.0,
    )


def build_clip(vocab_size: int, bos: int, eos: int) -> "CLIPModel":
    """CLIPModel: both encoders and their shared embedding space of width 128; an image is split into 8 x 8 patches."""
    from transformers import CLIPConfig, CLIPModel

    tower = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_attention_heads": 4,
        "projection_dim": WIDTH,
        "hidden_act": "quick_gelu",
    }
    text = {
        **tower,
        "num_hidden_layers": 3,
        "vocab_size": vocab_size,
        "max_position_embeddings": TOKENS,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "pad_token_id": eos,
    }
    vision = {**tower, "num_hidden_layers": 4, "image_size": 64, "patch_size": 8}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


def build_unet() -> "UNet2DConditionModel":
    """UNet2DConditionModel, 6.7 M parameters: cross-attention on the two lower of three resolution levels."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
    )  # the library's name; it is really the number of heads


def build_scheduler() -> "DDIMScheduler":
    """DDIM with the original's noise schedule; the network predicts v; sampling starts at t = 999."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        steps_offset=1,
        set_alpha_to_one=True,
        clip_sample=False,
    )


def build_tokenizer(corpus: Iterable[str], size: int = 2048) -> "CLIPTokenizer":
    """A CLIPTokenizer with its own byte-pair merges, learned from sentences.

    The vocabulary is a small version of CLIP's: 256 bytes, the same 256 at the end of a word, the merges, start, end.
    All 512 byte tokens are added by hand: the trainer adds only bytes that it saw, and an unknown letter
    would become the end-of-text token in the middle of a prompt.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer

    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(False, use_regex=False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(
        corpus, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False)
    )
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]][: size - 2 * len(alphabet) - 2]
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet)]
    tokens += [left + right for left, right in merges if left + right not in set(tokens)]
    vocab = {token: i for i, token in enumerate([*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=TOKENS)


def assemble(
    vae: "AutoencoderKL",
    text_encoder: "CLIPTextModel",
    tokenizer: "CLIPTokenizer",
    unet: "UNet2DConditionModel",
    scheduler: "SchedulerMixin | None" = None,
) -> "StableDiffusionPipeline":
    """A vanilla StableDiffusionPipeline of these parts."""
    pipe = pipeline_class()(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler or build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    guard_prompts()
    return pipe
