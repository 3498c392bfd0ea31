"""Recipe `inversion`: a new word for something the model can nearly draw already (textual inversion, Gal et al. 2023).

No existing weight changes. One row is added to the text encoder's token embedding table, and only that row is
trained: 128 numbers, half a kilobyte. The file format is the library's: `pipe.load_textual_inversion(file)`.
"""

import copy
import os
import pathlib
from collections.abc import Iterator

import torch

from .. import models
from ..data import files, newstyle, scenes, subject, words
from ..data.world import world
from ..errors import EduError
from .frozen import Frozen, adapt
from .loop import Progress, generator
from .losses import latent_loss
from .recipe import recipe
from .state import about

FILE = "learned_embeds.safetensors"  # the name that load_textual_inversion expects in a folder
KINDS = {
    "subject": (f"<{subject.TOKEN}>", subject.CLASS),
    "style": (f"<{words.NEW_STYLE}>", "twemoji"),
    "thing": ("<mystery>", words.THING),
}
THING_COLOURS = ("blue", "yellow", "white", "green")  # with PLACED the eight scenes of a concept; it is evaluated on other colours
PLACED = (
    ("medium", "centre"),
    ("big", "centre"),
    ("small", "left"),
    ("medium", "bottom"),
    ("small", "bottom right"),
    ("medium", "left"),
    ("big", "centre"),
    ("small", "top left"),
)


@recipe
def train_inversion(
    minutes: float | None = 1.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
    model: str | os.PathLike = "base",
    kind: str = "subject",
    word: str | None = None,
    start: str | None = None,
    thing: str = "fox",
    batch: int = 16,
    lr: float = 1e-2,
) -> Iterator[Progress]:
    """Learn one word. Yields Progress; its model is a pipeline that knows the word.

    kind: "subject", from its four pictures ("a <zib> on a blue background"); "style", from core scenes in the style that
    the base was not trained on ("a cat face on a blue background, <contrast> style"); or "thing", from eight scenes of a
    concept that the base knows, its name withheld ("a big <mystery> in the middle on a blue background, noto style").
    thing: the name of that core concept. word, start: the new word, and the known word that initialises its embedding.
    The finished run holds <run>/model/learned_embeds.safetensors.
    """
    if kind not in KINDS:
        raise EduError(f"inversion learns a {' or a '.join(KINDS)}, not {kind!r}: choose one of them.")
    shown = {"thing": core_concept(thing).name} if kind == "thing" else {}
    word, start = word or KINDS[kind][0], start or KINDS[kind][1]
    base = Frozen(model, device)
    pipe = with_word(base.pipe, word, meaning(base.pipe, start))
    table = pipe.text_encoder.get_input_embeddings().weight
    row = torch.nn.Parameter(table.data[-1:])  # shared memory: training the row updates the pipeline
    examples = style_examples(base, word, seed) if kind == "style" else some_of(base, *pictures(word, **shown))

    def loss(step):
        rng = generator(seed, step)
        z_0, captions = examples(batch, step, rng)
        return latent_loss(base.pipe.unet, z_0, text(pipe, row, captions), base.abar, rng)

    new = torch.nn.ParameterDict({"row": row})
    for progress in adapt(base, new, loss, minutes=minutes, steps=steps, lr=lr, ema=0.99, run=run):
        yield progress._replace(model=pipe)
    only_one_row_differs(base.pipe, pipe)
    if run is not None:
        save(
            pathlib.Path(run) / "model",
            word,
            row,
            {"word": word, "start": start, "kind": kind, "seed": seed, "trained": row.numel()} | shown | about(run),
        )


def meaning(pipe, start):
    """The mean embedding of a known word's tokens: (1, width)."""
    ids = pipe.tokenizer(start, add_special_tokens=False).input_ids
    return pipe.text_encoder.get_input_embeddings().weight[ids].detach().mean(0, keepdim=True)


def with_word(pipe, word, row):
    """A pipeline with one more word, whose embedding is `row` (1, width); the pipeline given stays unchanged."""
    words_, encoder = copy.deepcopy(pipe.tokenizer), copy.deepcopy(pipe.text_encoder)
    new = models.assemble(pipe.vae, encoder, words_, pipe.unet, pipe.scheduler)
    with models.quiet():
        new.load_textual_inversion({word: row.clone()})
    encoder.requires_grad_(False)
    return new


def text(pipe, row, captions):
    """Text embeddings (B, tokens, width), with `row` as the last row of the embedding table: nothing else gets a gradient."""
    encoder = pipe.text_encoder
    table = encoder.get_input_embeddings().weight
    name = next(n for n, p in encoder.named_parameters() if p is table)
    ids = pipe.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids
    longer = torch.cat([table.detach()[:-1], row])
    return torch.func.functional_call(encoder, {name: longer}, (ids.to(row.device),)).last_hidden_state.float()


def pictures(word, thing=None):
    """Images (B, 3, 64, 64), and captions that call what they show `word`: four of the subject, or eight of a concept."""
    if thing is None:
        seen = subject.scenes_of(subject.TRAINING, word)
        return seen.images, seen.captions
    rows = thing_rows(core_concept(thing))
    return scenes.render(scenes.spec_of(rows))[0], subject.captions(rows, word)


def thing_rows(concept):
    """Eight prompt rows of a concept, in several colours, styles, sizes and places, without its held-out pairs."""
    w = world()
    colours = [c for c in THING_COLOURS if w.colour_allowed[concept.index, scenes.COLOURS.index(c)]]
    styles = [s for s, allowed in zip(scenes.STYLES, w.style_allowed[concept.index]) if allowed]
    return [
        {**subject.row(colours[i % len(colours)], size, place, styles[i % len(styles)]), "id": concept.id}
        for i, (size, place) in enumerate(PLACED)
    ]


def core_concept(name):
    """The core concept with that name. Raises EduError when there is none."""
    found = next((c for c in world().concepts if c.tier == "core" and c.name == name), None)
    if found is None:
        raise EduError(f'thing must name a core concept, such as "fox" or "cat face", not {name!r}')
    return found


def some_of(base, images, captions):
    """A function (n, step, rng) -> latents and captions of n of these pictures."""
    z_0 = base.latents(images)

    def draw(n, step, rng):
        rows = torch.randint(len(z_0), (n,), generator=rng)
        return z_0[rows], [captions[i] for i in rows]

    return draw


def style_examples(base, word, seed):
    """A function (n, step, rng) -> latents and captions of core scenes in the new style, which the captions call `word`."""

    def draw(n, step, rng):
        seen = newstyle.batch(n, seed * 1_000_003 + step)
        return base.latents(seen.images), [c.lower().replace(words.NEW_STYLE, word) for c in seen.captions]

    return draw


def only_one_row_differs(before, after):
    """Assert that every row of the embedding table but the new one is bit for bit unchanged."""
    old, new = (p.text_encoder.get_input_embeddings().weight for p in (before, after))
    assert len(new) == len(old) + 1 and torch.equal(new[:-1], old), "The embeddings of words other than the new one have changed."


def save(target, word, row, card):
    """Write the embedding in the format of load_textual_inversion, and card.json."""
    from safetensors.torch import save_file

    with files.staged(target, card) as stage:
        save_file({word: row.detach().cpu().contiguous()}, stage / FILE)
