"""Recipe `base`: all parts of the tiny Stable Diffusion from scratch, one recipe after the other."""

import os
import pathlib
import shutil
from collections.abc import Callable, Iterator

import torch

from ..data import files
from ..errors import EduError
from .clip import train_clip
from .latent import train_latent
from .loop import Progress
from .recipe import recipe
from .vae import train_vae

SHARES: dict[Callable[..., Iterator[Progress]], float] = {train_vae: 0.2, train_clip: 0.1, train_latent: 0.7}  # of the minutes


@recipe
def train_base(
    minutes: float | None = 60.0,
    steps: int | None = None,
    run: str | os.PathLike | None = None,
    device: str | torch.device | None = None,
    seed: int = 0,
) -> Iterator[Progress]:
    """Train vae, clip and latent; each yields its own Progress, whose `left` includes the recipes still to come.

    steps: of each recipe. The pipeline is saved in <run>/model, the recipes' own runs beside it; an interrupted run
    resumes in the recipe that was active.
    """
    if run is None:
        raise EduError("The recipe base needs a folder for its parts: base(run=...).")
    run, waiting = pathlib.Path(run), 60 * (minutes or 0)
    for part, share in SHARES.items():
        bound = {"minutes": minutes and share * minutes, "steps": steps}
        waiting -= 60 * share * (minutes or 0)
        for progress in part(run=run / part.__name__.removeprefix("train_"), device=device, seed=seed, **bound):
            yield progress._replace(left=progress.left + max(0.0, waiting))
    with files.staged(run / "model", files.card_of(run / "latent" / "model")) as stage:
        shutil.copytree(run / "latent" / "model", stage, dirs_exist_ok=True)
