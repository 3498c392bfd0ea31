"""Save the result of a finished recipe in its run folder: `<run>/model`, atomically."""

import pathlib

from ..data import files
from ..models import quiet


def keep(parts, run):
    """Save library objects under <run>/model/<name>; does nothing without a run folder."""
    if run is None:
        return
    with files.staged(pathlib.Path(run) / "model") as stage, quiet():
        for name, part in parts.items():
            part.save_pretrained(stage / name)
            files.portable(stage / name)
