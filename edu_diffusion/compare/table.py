"""The table of all methods, as it was measured and as text."""

import json
from collections.abc import Sequence
from typing import Any

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

SHIPPED = files.PACKAGE / "checkpoints" / "compared.json"


def shipped() -> dict:
    """The table that was measured for the lessons. Raises EduError when there is none."""
    if not SHIPPED.is_file():
        raise EduError("There is no table of the methods yet; python3 -m edu_diffusion compare writes one.")
    return json.loads(SHIPPED.read_text(encoding="utf-8"))


COLUMNS = {
    "method": "method",
    "trained": "trained numbers",
    "bytes": "file",
    "seconds": "seconds",
    "steps": "steps",
    "style": "new style",
    "style_gain": "gained",
    "subject": "the subject",
    "subject_gain": "gained",
    "forgetting": "forgotten",
    "style_with_both": "style, both on",
    "subject_with_both": "subject, both on",
    "note": "",
}


def markdown(table: dict, columns: Sequence[str] = tuple(COLUMNS)) -> str:
    """The table as Markdown: shares in percent, differences in percentage points with their 95 % interval.

    columns: keys of COLUMNS.
    """
    base, best = (
        {"method": name, "style": table["base"][f"style{end}"], "subject": table["base"][f"subject{end}"]}
        for name, end in (("the base", ""), ("real scenes through the VAE", "_ceiling"))
    )
    lines = [[COLUMNS[key] for key in columns], ["---"] * len(columns)]
    lines += [[cell(key, row.get(key)) for key in columns] for row in (base, *table["rows"], best)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(key: str, value: Any) -> str:
    """The text of one table cell."""
    if value is None:
        return ""
    if key == "bytes":
        return f"{value / 1e6:.2f} MB" if value >= 1e5 else f"{value / 1e3:.1f} kB"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if not isinstance(value, dict):
        return value
    share = "unit" not in value
    scale, digits, sign = (100, 0, "+") if share else (1, 2, "+")
    if key in ("style", "subject"):
        return f"{scale * value['value']:.{digits}f}" + (" %" if share else "")
    middle, low, high = (f"{scale * value[k]:{sign}.{digits}f}" for k in ("value", "low", "high"))
    return f"{middle} [{low}, {high}]"
