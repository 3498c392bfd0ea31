"""Recipe `clip`: a text encoder and an image encoder with a shared embedding space (Radford et al. 2021), with our own tokenizer.

The text encoder becomes that of Stable Diffusion.
"""

import math
import os
from collections.abc import Iterator

import torch

from ..data import phrases, scenes
from ..data.world import world
from ..models import TOKENS, build_clip, build_tokenizer, load_clip, pick_device
from ..models.vocabulary import grow_text_model, grow_tokenizer
from ..steps import contrastive_loss
from .loop import Progress, fit
from .recipe import recipe
from .save import keep

VOCABULARY = 3072  # maximum number of tokens
NAMED = ("concept", "colour")  # what every caption names; the other attributes are optional


@recipe
def train_clip(
    minutes: float | None = 9.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    batch: int = 128,
    lr: float = 1e-3,
    start: str | os.PathLike | None = None,
) -> Iterator[Progress]:
    """Train CLIP on captioned scenes, half of them core concepts. Yields Progress; its model is the CLIPModel.

    start: a CLIP to continue from, "clip" for the shipped one or a folder, extended if its prompts are shorter; None: a new one.
    """
    torch.manual_seed(seed)
    model, tokenizer = begin(start)
    model = model.to(pick_device(device))

    def loss(step):
        seen = scenes.mixed(batch, seed * 1_000_003 + step, many=scenes.MANY, always=NAMED)
        model.logit_scale.data.clamp_(max=math.log(100))
        text, image = embeddings(model, tokenizer, seen.captions, seen.images)
        return contrastive_loss(text, image, model.logit_scale, also_true(seen.spec).to(text.device))

    yield from fit(model.train(), loss, minutes=minutes, steps=steps, lr=lr, run=run)
    keep({"clip": model.eval(), "tokenizer": tokenizer}, run)


def begin(start=None):
    """The CLIPModel and CLIPTokenizer to train: new ones, or those of `start`, extended if its prompts are too short."""
    if start is None:
        tokenizer = build_tokenizer(corpus(), VOCABULARY)
        return build_clip(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id), tokenizer
    model, old = load_clip(start, "cpu")
    if model.config.text_config.max_position_embeddings >= TOKENS:
        return model, old
    new = grow_tokenizer(old, corpus(), VOCABULARY)
    return grow_text_model(model, old, new), new


def also_true(spec):
    """Captions that may also be true of other images of the batch: (B, B) bool, True at (i, j) if caption i fits image j.

    Objects and colour are always named, the other attributes may be omitted. So caption i counts as true of image j if that
    shows all of i's objects on the same background colour, even if i names a style that j does not have: such pairs are rare.
    """
    shown = [spec.concept == x[:, None] for x in (spec.concept, spec.other)]
    beside = [spec.other == x[:, None] for x in (spec.concept, spec.other)]
    first, second = (a | b for a, b in zip(shown, beside))
    same = first & (second | (spec.other < 0)[:, None]) & (spec.colour == spec.colour[:, None])
    return same & ~torch.eye(len(same), dtype=torch.bool)


def embeddings(model, tokenizer, captions, images):
    """The embeddings of both encoders, (B, width) each."""
    ids = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    text = model.get_text_features(input_ids=ids.to(model.device)).pooler_output
    image = model.get_image_features(pixel_values=images.to(model.device)).pooler_output
    return text.float(), image.float()


def corpus(n=10_000):
    """Sentences to train the tokenizer on: n captions of core concepts, and n of the whole vocabulary.

    After them the words of the grammar and every name, often enough to matter; the core's names more often than the others.
    """
    rng = torch.Generator().manual_seed(0)
    specs = [scenes.draw_spec(n, rng, tier, many=scenes.MANY) for tier in ("core", "wide")]
    concepts = [c for c in world().concepts if c.tier != "heldout"]
    names = [name for c in concepts for name in (c.name, *c.aliases) for _ in range(80 if c.tier == "core" else 8)]
    return [scenes.say(spec, i, rng) for spec in specs for i in range(n)] + names + 80 * sorted(phrases.vocabulary())
