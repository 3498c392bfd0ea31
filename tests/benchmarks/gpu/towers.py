"""The stage clip: captions that name concept and colour, images composed on demand, large batches."""

import math
import pathlib

import torch
from torch.nn.functional import cross_entropy

from edu_diffusion import models
from edu_diffusion.steps import similarity

from .compose import compose
from .learn import learn


def train(parts, pool, cells, out, args, seconds):
    """The stage; continues from the folder `clip` beside args.start, else the shipped one, where their shapes match."""
    model = begun(args.start, parts.tokenizer).to(parts.abar.device).train()

    def loss():
        model.logit_scale.data.clamp_(max=math.log(100))
        rows = pool.rows(args.batch)
        layout = pool.layout.take(rows)
        images, _ = compose(cells, layout, pool.ground[rows])
        text = model.get_text_features(input_ids=pool.named[rows].long()).pooler_output
        seen = model.get_image_features(pixel_values=images).pooler_output
        return masked_loss(text.float(), seen.float(), model.logit_scale, layout.things[:, 0] * 100 + layout.colour)

    return learn(
        "clip",
        model,
        loss,
        out,
        seconds=seconds,
        batch=args.batch,
        lr=1e-3,
        steps=args.steps,
        keep=lambda: out.weights("clip", model.state_dict()),
    )


def masked_loss(text, seen, scale, key):
    """The contrastive loss without pairs whose caption is also true of the other's image: those with the same key."""
    S = similarity(text, seen, scale)
    own = torch.arange(len(S), device=S.device)
    also = (key[:, None] == key) & (own[:, None] != own)
    S = S.masked_fill(also, -math.inf)
    return (cross_entropy(S, own) + cross_entropy(S.T, own)) / 2


def begun(start, tokenizer):
    """A CLIPModel for this tokenizer, initialised from the trained one where shapes match: of a longer table, the first rows."""
    from safetensors.torch import load_file

    model = models.build_clip(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    beside = pathlib.Path(models.path_of(start)).parent / "clip" / "model.safetensors"
    known = load_file(beside if beside.is_file() else models.path_of("clip") / "model.safetensors")
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name in known and known[name].shape[1:] == value.shape[1:]:
                n = min(len(value), len(known[name])) if value.ndim else None
                value[:n].copy_(known[name][:n]) if value.ndim else value.copy_(known[name])
    return model
