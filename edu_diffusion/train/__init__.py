"""Training recipes: one file each, a generator of Progress. `for p in train_vae(minutes=5): ...`

A recipe is limited by a deadline (minutes=) or by steps, and resumes where it stopped when its run folder holds
a saved state. Progress bars, plots and early stopping are up to the caller.
"""

import importlib


class _Recipes(dict):
    """name -> recipe function, imported on first use."""

    def __getitem__(self, name):
        return getattr(importlib.import_module(super().__getitem__(name), __name__), f"train_{name}")

    def get(self, name, default=None):
        return self[name] if name in self else default  # noqa: SIM401 - dict.get would return the module's name


RECIPES = _Recipes(
    base=".base",
    vae=".vae",
    clip=".clip",
    latent=".latent",
    judge=".judge",
    ddpm=".ddpm",
    lenet=".lenet",
    dreambooth=".dreambooth",
    inversion=".inversion",
    finetune=".finetune",
    lora=".lora",
    few_steps=".few_steps",
    hyper=".hypernetwork",
    control=".control",
)
