"""Recipe `clip`: a text tower and a picture tower that agree (Radford et al. 2021), with our own tokenizer.

The text tower becomes Stable Diffusion's text encoder.
"""

import math

import torch

from ..data import scenes
from ..data.world import world
from ..models import build_clip, build_tokenizer, pick_device
from ..steps import contrastive_loss
from .keep import keep
from .loop import fit


def clip(minutes=9.0, steps=None, run=None, device=None, seed=0, batch=128, lr=1e-3):
    """Train CLIP on captioned scenes, half of them core concepts. Yields Progress; its model is the CLIPModel."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(corpus())
    model = build_clip(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id).to(pick_device(device))

    def loss(step):
        seen = scenes.mixed(batch, seed * 1_000_003 + step)
        model.logit_scale.data.clamp_(max=math.log(100))
        text, image = embeddings(model, tokenizer, seen.captions, seen.images)
        return contrastive_loss(text, image, model.logit_scale)

    yield from fit(model.train(), loss, minutes=minutes, steps=steps, lr=lr, run=run)
    keep({"clip": model.eval(), "tokenizer": tokenizer}, run)


def embeddings(model, tokenizer, captions, images):
    """The two towers' answers, (B, width) each."""
    ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    text = model.get_text_features(input_ids=ids.to(model.device)).pooler_output
    image = model.get_image_features(pixel_values=images.to(model.device)).pooler_output
    return text.float(), image.float()


def corpus(n=20_000):
    """Sentences to learn the tokenizer's merges from: scenes' captions, then every name often enough to matter."""
    concepts = [c for c in world().concepts if c.tier != "heldout"]
    names = [name for c in concepts for name in (c.name, *c.aliases) for _ in range(40 if c.tier == "core" else 8)]
    rng = torch.Generator().manual_seed(0)
    spec = scenes.draw_spec(n, rng, "core", counts=(1, 1, 2, 3))
    return [scenes.say(spec, i, rng) for i in range(n)] + names
