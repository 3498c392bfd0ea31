"""Model cards that cannot disagree with the numbers: README.md is written from card.json and metrics.json.

    python3 -m edu_diffusion judge --write      # measures, then writes metrics.json, README.md and sheet.png
"""

import json

from .data import files
from .errors import EduError

SHEET = 100  # pictures on the contact sheet


def spread(rows):
    """SHEET rows from all over the frozen list, by a stride that shares no factor with its patterns: nothing chosen."""
    return [rows[79 * i % len(rows)] for i in range(min(SHEET, len(rows)))]


def write_card(folder, name=None):
    """Write README.md of a shipped checkpoint's folder, from its numbers; a learner's own model has no template.

    name: the checkpoint's, where the folder has another yet.
    """
    template = files.PACKAGE / "checkpoints" / f"{name or folder.name}.card.md"
    if template.is_file():
        files.write_bytes(folder / "README.md", fill(template.read_text(encoding="utf-8"), numbers(folder)).encode())


def fill(template, values):
    """Replace every {{name}} of a card; raises EduError for a name that nothing measured."""
    for part in template.split("{{")[1:]:
        name = part.split("}}")[0]
        if name not in values:
            raise EduError(f"The card asks for {name}, which nobody measured; run judge --write, or take it out.")
        template = template.replace("{{" + name + "}}", values[name])
    return template


def numbers(folder):
    """name -> text, from card.json and, before it, metrics.json: "90.2 % [87.1, 92.6], n = 960"."""
    metrics, card = (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("metrics.json", "card.json"))
    return {k: str(v) for k, v in card.items() if k != "sha256"} | {k: text(v) for k, v in metrics.items()}


def text(score):
    """A metric as the card says it: a share or a value with its interval, a count, or a plain value with its unit."""
    if isinstance(score["value"], int):
        return f"{score['value']:,} {score.get('unit', '')}".strip()
    if "low" in score and "unit" in score:
        value, low, high = (f"{score[k]:.2f}" for k in ("value", "low", "high"))
        return f"{value} [{low}, {high}] {score['unit']}, n = {score['n']}"
    if "low" in score:
        value, low, high = (f"{100 * score[k]:.1f}" for k in ("value", "low", "high"))
        return f"{value} % [{low}, {high}], n = {score['n']}"
    unit = " " + score["unit"] if "unit" in score else ""
    return f"{score['value']:.3g}{unit}, n = {score['n']:,}"


def sheet(pipe, rows):
    """Contact sheet of prompts, as drawn, nothing chosen: PNG bytes."""
    from . import judge
    from .figures import contact_sheet
    return contact_sheet(judge.draw(pipe, rows).cpu(), [row["prompt"] for row in rows]).png
