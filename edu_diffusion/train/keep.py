"""What a finished recipe leaves in its run folder: `<run>/model`, whole or not at all."""

import json
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
            nameless(stage / name)


def nameless(folder):
    """Take out of the configurations where a part was begun from: a folder of this machine tells nobody anything."""
    for path in folder.glob("*config.json"):
        config = json.loads(path.read_text(encoding="utf-8"))
        if config.pop("_name_or_path", None) is not None:
            files.write_json(path, config)
