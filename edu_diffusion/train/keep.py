"""What a finished recipe leaves in its run folder: `<run>/model`, whole or not at all."""

import pathlib

from ..data import files
from ..models import quiet


def keep(parts, run):
    """Save library objects under <run>/model/<name>; nothing when there is no run folder."""
    if run is None:
        return
    with files.staged(pathlib.Path(run) / "model") as stage, quiet():
        for name, part in parts.items():
            part.save_pretrained(stage / name)
            files.portable(stage / name)
