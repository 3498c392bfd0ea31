"""Recipes: one file each, a generator of Progress. `for p in train.RECIPES["vae"](minutes=5): ...`

A recipe is bounded by a deadline (minutes=) or by steps, and goes on where it stopped when its run folder has
a state in it. Bars, plots and early stopping stay with the caller.
"""

import importlib


class _Recipes(dict):
    """name -> recipe function, imported when first asked for."""

    def __getitem__(self, name):
        return getattr(importlib.import_module(super().__getitem__(name), __name__), name)


RECIPES = _Recipes(base=".base", vae=".vae", clip=".clip", latent=".latent", judge=".judge", ddpm=".ddpm", lenet=".lenet",
                   dreambooth=".dreambooth", inversion=".inversion", finetune=".finetune",
                   lora=".lora", hyper=".hyper", control=".control")
