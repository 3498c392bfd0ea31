"""What an adapter gained and what it cost: scores of LoRA, hypernetworks and StyleAligned.

The trained judge was trained on the base's three styles and not on the fourth. So the style is determined by the
nearest reference sprite (drawings.py): every core concept in all four styles is rendered as the prompt asks, and the
nearest one, pixel by pixel, gives concept and style. It was not trained on anything, so it is not biased towards an
adapter; `*_ceiling` is its score on real scenes in the new style after a VAE round trip. Every fifth
concept is held out of the adapters' training in the new style (data/newstyle.py): `*_unseen` counts these alone.
Before and after use the same prompts and seeds, and their difference is paired.
"""

import pathlib

import torch

from .. import models, steps
from ..data import newstyle, scenes, words
from ..data.world import prompts
from .drawings import ground, nearest
from .evaluate import GUIDANCE, STEPS, draw, through_vae
from .marks import background, mean, paired, right, score

SEEDS = (0, 1000, 2000)
TOGETHER = 4  # images in a batch of StyleAligned
WEIGHT = 2.0  # weight of the first image in its shared attention


def lora_scores(pipe, folder, seeds=SEEDS, limit=None, judge=None, weight=1.0, style=words.NEW_STYLE):
    """Scores of a LoRA on a pipeline that has none: {name: score}. The pipeline is left unchanged.

    folder: as models.load_lora takes it. limit: of the prompts in the style. judge: if given, also the share
    of ordinary core prompts whose concept is lost while the adapter is active (forgetting).
    """
    before = taken(pipe, seeds, limit, style)
    ordinary = judge and concepts(pipe, judge, seeds, limit)
    models.load_lora(pipe, folder, "judged", weight)
    after = taken(pipe, seeds, limit, style)
    lost = {"forgetting": paired(concepts(pipe, judge, seeds, limit), ordinary)} if judge else {}
    pipe.unload_lora_weights()
    path = models.adapters.adapter_file(folder)
    return changes(before, after) | lost | ceiling(pipe, limit, style) | size(path, pipe.unet)


def hyper_scores(pipe, folder, seeds=SEEDS, limit=None, judge=None, strength=1.0, style=words.NEW_STYLE):
    """Scores of a hypernetwork: {name: score}. folder: as models.load_hyper takes it; the rest as in lora_scores."""
    before = taken(pipe, seeds, limit, style)
    ordinary = judge and concepts(pipe, judge, seeds, limit)
    with steps.hypernetwork(pipe.unet, models.load_hyper(folder, pipe), strength):
        after = taken(pipe, seeds, limit, style)
        lost = {"forgetting": paired(concepts(pipe, judge, seeds, limit), ordinary)} if judge else {}
    path = pathlib.Path(folder, models.hyper.FILE) if pathlib.Path(folder).is_dir() else pathlib.Path(folder)
    return changes(before, after) | lost | ceiling(pipe, limit, style) | size(path, pipe.unet)


def taken(pipe, seeds, limit, style):
    """The judgement of images for prompts that ask for the style, and for the same prompts without it: dicts."""
    seen = {}
    for name, asked in (("style", style), ("usual", "")):
        rows = newstyle.rows(asked, limit)
        pictures = torch.cat([draw(pipe, rows, seed) for seed in seeds])
        seen[name] = named(pictures, rows * len(seeds), style)
    return seen


def named(images, rows, style):
    """Booleans (B,): whether the nearest of all sprites has the style and the concept; which concepts are unseen."""
    concept, drawn, *_ = nearest(images, styles=scenes.ALL_STYLES)
    return {"style": drawn == scenes.ALL_STYLES.index(style), "concept": concept == scenes.spec_of(rows).concept,
            "unseen": torch.tensor([r["new"] for r in rows])}


def changes(before, after):
    """Style and concept before and after, paired. The concept is compared with the base's where no style is named.

    _unseen: of the concepts held out in the style; _shown: of the others.
    """
    scores = {"style_base": score(before["style"]["style"]), "style": score(after["style"]["style"]),
              "style_gain": paired(before["style"]["style"], after["style"]["style"]),
              "concept_base": score(before["usual"]["concept"]), "concept": score(after["style"]["concept"]),
              "concept_change": paired(before["usual"]["concept"], after["style"]["concept"])}
    new = before["style"]["unseen"]
    for name in ("style", "concept"):
        scores |= {f"{name}_unseen": score(after["style"][name][new])} if new.any() else {}
    shown = [seen["concept"][~new] for seen in (before["usual"], after["style"])]
    scores |= {"concept_shown_base": score(shown[0]), "concept_shown": score(shown[1]), "concept_shown_change": paired(*shown)}
    return scores | {"style_without_words": score(after["usual"]["style"])}


def concepts(pipe, judge, seeds, limit):
    """Whether the judge recognises the concept for the ordinary frozen prompts: (B,)."""
    rows = prompts("core", "full")[:limit]
    pictures = torch.cat([draw(pipe, rows, seed) for seed in seeds])
    return right(judge, pictures, rows * len(seeds))["concept"].cpu()


def ceiling(pipe, limit, style):
    """The same of real scenes in the style, through the VAE: the upper bound for any adapter of the U-Net."""
    rows = newstyle.rows(style, limit)
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    best = named(through_vae(pipe, real), rows, style)
    return {f"{name}_ceiling": score(best[name]) for name in ("style", "concept")}


def size(path, unet):
    """Bytes of a file, the number of parameters in it, and how many times larger the U-Net is in half precision."""
    numbers = sum(torch.Size(shape).numel() for shape in models.check.header(path).values())
    own = sum(p.numel() for n, p in unet.named_parameters() if ".lora_" not in n)
    count = path.stat().st_size
    return {"bytes": {"value": count, "n": 1, "unit": "bytes"}, "trained": {"value": numbers, "n": 1},
            "times_smaller": {"value": round(2 * own / count), "n": 1}}


# ---------------------------------------------------------------- StyleAligned

def aligned_scores(pipe, seeds=SEEDS, limit=None, weight=WEIGHT):
    """Do the images of a batch agree in style, with and without shared attention? {name: score}

    A batch is TOGETHER prompts of different concepts without colour or style; only the first
    names a style, and each batch another colour. colour: the share of the others on the first one's background;
    drawing: the share nearest to a sprite in the first one's style; likeness: similarity of lines and colours,
    see `gram`. first_identical: the share of first images that are bit for bit the same. weight: as in
    steps.aligned.
    """
    plain = []
    shared = []
    rows = batches(limit)
    for seed in seeds:
        for i, batch in enumerate(rows):
            plain.append(drawn(pipe, batch, seed + TOGETHER * i))
            with steps.aligned(pipe.unet, TOGETHER, weight=weight):
                shared.append(drawn(pipe, batch, seed + TOGETHER * i))
    same = torch.tensor([torch.equal(a[0], b[0]) for a, b in zip(plain, shared)])
    before, after = (agreement(pictures, rows * len(seeds)) for pictures in (plain, shared))
    scores = {"first_identical": score(same)}
    for name, unit in (("colour", None), ("drawing", None), ("likeness", "cosine")):
        scores |= {f"{name}_alone": mean(before[name], unit), name: mean(after[name], unit),
                   f"{name}_gain": paired(before[name], after[name], unit or "share")}
    return scores | {"concept_alone": score(before["concept"]), "concept": score(after["concept"]),
                     "concept_change": paired(before["concept"], after["concept"])}


def batches(limit=None):
    """Lists of TOGETHER prompt rows; the first names style and colour, the others neither."""
    rows = [r for r in newstyle.rows("", limit) if (r["size"], r["place"]) == ("big", "centre")]
    rows = list({r["id"]: r for r in rows}.values())
    groups = [rows[i:i + TOGETHER] for i in range(0, len(rows) - TOGETHER + 1, TOGETHER)]
    return [[asked(r, i, k == 0) for k, r in enumerate(group)] for i, group in enumerate(groups)]


def asked(row, number, leads):
    """A row that leads its batch, with a colour and a style, or one that follows it."""
    name = newstyle.world().by_id[row["id"]].name
    colour, style = (row["colour"], words.STYLES[number % 3]) if leads else ("", "")
    return {**row, "colour": colour, "style": style, "prompt": words.caption(name, colour, row["size"], row["place"], style)}


@torch.no_grad()
def drawn(pipe, rows, seed):
    """The images of one batch, generated together: (B, 3, 64, 64)."""
    *_, last = steps.generate(pipe, [r["prompt"] for r in rows], seed=seed, steps=STEPS, guidance=GUIDANCE)
    return steps.decode(pipe, last.z_s).float().cpu()


def agreement(pictures, rows):
    """For every batch the agreement of the others with the first, (batches,), and for every image its concept."""
    flat = [r for batch in rows for r in batch]
    concept, style, *_ = nearest(torch.cat(pictures))
    style, right_ = style.view(-1, TOGETHER), concept == scenes.spec_of(flat).concept
    colour = background(torch.cat(pictures)).view(-1, TOGETHER)
    look = torch.stack([gram(images) for images in pictures])
    others = {"colour": colour[:, 1:] == colour[:, :1], "drawing": style[:, 1:] == style[:, :1],
              "likeness": (look[:, 1:] * look[:, :1]).sum(2)}
    return {name: value.float().mean(1) for name, value in others.items()} | {"concept": right_}


def gram(images, cells=8):
    """Texture independent of position: the Gram matrix of small patches, as a vector of length 1, (B, numbers).

    Patches of cells x cells pixels, minus the background, so that an empty image is similar to none. The
    judge is not used here: it was trained to classify styles, so its features would favour them.
    """
    patches = torch.nn.functional.unfold(images - ground(images), cells, stride=cells // 2)
    return torch.nn.functional.normalize((patches @ patches.transpose(1, 2)).flatten(1), dim=1)
