"""From a trained model to a checkpoint: half precision, checksums, and a model card."""

import shutil

from edu_diffusion.data import files

from . import cards
from .shipped import card

HALVED = ".safetensors"


def ship(model, target, facts):
    """Copy a trained model to a checkpoint folder with its weights in half precision; card.json lists every file.

    facts: further entries for card.json. README.md is written from the numbers where the checkpoint has a template.
    The configurations still say float32, the precision that the libraries compute in by default.
    """
    with files.staged(target, card(model) | facts) as stage:
        for path in sorted(p for p in model.rglob("*") if p.is_file() and p.name != "card.json"):
            new = stage / path.relative_to(model)
            new.parent.mkdir(parents=True, exist_ok=True)
            halve(path, new) if path.suffix == HALVED else shutil.copyfile(path, new)
        files.portable(stage)
        files.write_json(stage / "card.json", card(model) | facts)
        cards.write_card(stage, target.name)


def halve(path, new):
    """Copy a .safetensors file with its numbers converted to float16; the metadata are kept."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        save_file({name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}, new, file.metadata())
