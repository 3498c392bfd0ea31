"""The tiny Stable Diffusion: configurations of library classes, and how they are built, loaded and saved.

Every object here is a genuine diffusers or transformers object; only sizes are ours.
"""

import contextlib
import json
import pathlib

import torch

from .data import files
from .errors import EduError

TOKENS, WIDTH = 32, 128  # tokens in a prompt, width of a text embedding (SD 1.5: 77 and 768)
PARTS = ("vae", "text_encoder", "tokenizer", "unet", "scheduler")


def pick_device(name=None):
    """The device to compute on: the one named, else cuda, else mps, else cpu.

    Raises EduError when the one named is not there. Returns torch.device.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    best = name or next(d for d in ("cuda", "mps", "cpu") if there[d])
    if not there.get(str(best).split(":")[0]):
        raise EduError(f"There is no device {best!r} here; use one of {[d for d in there if there[d]]}.")
    return torch.device(best)


def autocast(device):
    """bf16 arithmetic inside the block where the hardware is quicker for it, nothing elsewhere."""
    has = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # laptops before 2022 mostly lack it
    helps = torch.cuda.is_bf16_supported() if device.type == "cuda" else device.type == "cpu" and has()
    return torch.autocast(device.type, torch.bfloat16, enabled=helps)


@contextlib.contextmanager
def quiet():
    """No progress bars and load reports of the libraries inside the block; what is wrong is ours to say."""
    from diffusers.utils import logging as one
    from transformers.utils import logging as other
    levels = one.get_verbosity(), other.get_verbosity()
    for logging in (one, other):
        logging.disable_progress_bar()
        logging.set_verbosity_error()
    try:
        yield
    finally:
        for logging, level in zip((one, other), levels):
            logging.enable_progress_bar()
            logging.set_verbosity(level)


def build_vae():
    """AutoencoderKL, 0.7 M parameters: (3, 64, 64) <-> (4, 16, 16)."""
    from diffusers import AutoencoderKL
    return AutoencoderKL(
        block_out_channels=(16, 32, 64), down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3, layers_per_block=1, latent_channels=4,
        norm_num_groups=16,  # 32 everywhere else; the first width, 16, does not allow it
        sample_size=64, scaling_factor=1.0)


def build_clip(vocab_size, bos, eos):
    """CLIPModel, both towers of width 128, contrastive space of 128; the picture is cut into 8 x 8 patches."""
    from transformers import CLIPConfig, CLIPModel
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 4,
             "projection_dim": WIDTH, "hidden_act": "quick_gelu"}
    text = {**tower, "num_hidden_layers": 3, "vocab_size": vocab_size, "max_position_embeddings": TOKENS,
            "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": eos}
    vision = {**tower, "num_hidden_layers": 4, "image_size": 64, "patch_size": 8}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))


def build_unet():
    """UNet2DConditionModel, 6.7 M parameters: cross-attention on the two lower of three levels."""
    from diffusers import UNet2DConditionModel
    return UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=(64, 128, 128), layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4)  # the library's name; it is really the number of heads


def build_scheduler():
    """DDIM on the original's noise schedule; the network predicts v; the first step stands at t = 999."""
    from diffusers import DDIMScheduler
    return DDIMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
        prediction_type="v_prediction", timestep_spacing="trailing", steps_offset=1, set_alpha_to_one=True,
        clip_sample=False)


def build_tokenizer(corpus, size=2048):
    """A CLIPTokenizer with its own byte-pair merges, learned from sentences.

    The vocabulary is CLIP's in small: 256 bytes, the same 256 at a word's end, the merges, start, end.
    All 512 byte tokens are put in by hand: the trainer adds only what it saw, and an unseen letter
    would become the end-of-text token in mid-prompt.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    from transformers import CLIPTokenizer
    bpe = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(False, use_regex=False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False))
    merges = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]][:size - 2 * len(alphabet) - 2]
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet)]
    tokens += [left + right for left, right in merges if left + right not in set(tokens)]
    vocab = {token: i for i, token in enumerate([*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=TOKENS)


def assemble(vae, text_encoder, tokenizer, unet, scheduler=None):
    """A vanilla StableDiffusionPipeline of these parts."""
    from diffusers import StableDiffusionPipeline
    pipe = StableDiffusionPipeline(
        vae=vae, text_encoder=text_encoder, tokenizer=tokenizer, unet=unet, scheduler=scheduler or build_scheduler(),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load(name="base", device=None, dtype=torch.float32):
    """A StableDiffusionPipeline, ready to draw, from the name of a shipped checkpoint or from a folder.

    device: its name, see pick_device(). dtype: torch.float32 or torch.float16.
    Raises EduError when it is not a complete pipeline: the libraries load a folder without tokenizer or with
    missing tensors silently.
    """
    from diffusers import StableDiffusionPipeline
    root = locate(name)
    _check_complete(root)
    with quiet():
        pipe = StableDiffusionPipeline.from_pretrained(root, dtype=dtype, local_files_only=True)
    if len(pipe.tokenizer) < pipe.text_encoder.config.vocab_size:
        raise EduError(f"{root}: the tokenizer knows {len(pipe.tokenizer)} tokens, the text encoder wants "
                       f"{pipe.text_encoder.config.vocab_size}; the tokenizer's files are missing or foreign.")
    pipe.set_progress_bar_config(disable=True)
    return pipe.to(pick_device(device))


def locate(name):
    """The folder of a shipped checkpoint's name or of a path."""
    path = pathlib.Path(name)
    shipped = files.PACKAGE / "checkpoints" / str(name)
    if path.is_dir() or shipped.is_dir():
        return path if path.is_dir() else shipped
    names = sorted(p.name for p in (files.PACKAGE / "checkpoints").glob("*") if (p / "model_index.json").exists())
    raise EduError(f"There is no model {str(name)!r}: give a folder, or one of the shipped checkpoints {names}.")


def _check_complete(root):
    missing = [part for part in ("model_index.json", *PARTS) if not (root / part).exists()]
    if not (root / "tokenizer" / "tokenizer.json").exists() and not (root / "tokenizer" / "vocab.json").exists():
        missing.append("tokenizer/tokenizer.json")
    if missing:
        raise EduError(f"{root} is not a Stable Diffusion folder: it lacks {', '.join(missing)}.")


def save(pipe, target, card=None):
    """Write a pipeline folder that vanilla diffusers opens: fp16 safetensors, tokenizer for other tools, card.json.

    The folder appears whole or not at all. card: dict for card.json (recipe, seed, seconds, ...); the sha256
    of every file is added last.
    """
    with files.staged(target) as stage, quiet():
        half = assemble(*(_half(getattr(pipe, part)) for part in PARTS))
        half.save_pretrained(stage, safe_serialization=True)
        pipe.tokenizer.backend_tokenizer.model.save(str(stage / "tokenizer"))
        files.write_json(stage / "card.json", {**(card or {}), "sha256": files.checksums(stage)})


def _half(part):
    import copy
    return copy.deepcopy(part).half() if isinstance(part, torch.nn.Module) else part
