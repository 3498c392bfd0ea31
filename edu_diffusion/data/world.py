"""The emoji world: its concepts, their sprites, and what is held out.

Source: datasets/emoji (its README.md says where the sprites come from and under which licences).
"""

import csv
import functools
import os
import pathlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ..errors import EduError
from . import chances, phrases, school, words
from .checksums import checked

CELL = 64
FULL = ("full", "heldout_colour", "heldout_style")  # splits of prompts.csv whose prompts name every attribute


@dataclass(frozen=True)
class Concept:
    """One concept. tier: "core", "wide" or "heldout" (held out of all training)."""

    index: int
    id: str
    character: str
    name: str
    aliases: tuple
    category: str
    tier: str


class World:
    """Concepts, sprites and the held-out pairs of datasets/emoji.

    concepts: list of Concept, in sheet order. colour_allowed: (concepts, colours) and style_allowed:
    (concepts, styles) booleans, False where a pair is held out of the generative models' training (the judge knows all sprites).
    """

    def __init__(self, root: pathlib.Path | None = None) -> None:
        self.root = root or checked("emoji")
        self.concepts = [_concept(i, row) for i, row in enumerate(read_csv(self.root / "captions.csv"))]
        self.by_id = {c.id: c for c in self.concepts}
        self.colour_allowed = self._allowed("colour", list(words.COLOURS))
        self.style_allowed = self._allowed("style", list(words.STYLES))
        self.habits = read_csv(self.root / "habits.csv")
        self._memberships = read_csv(self.root / "categories.csv")
        self.said = {row["category"]: row["said"] for row in self._memberships}  # category -> "an animal", "something to wear"
        self.categories = list(self.said)
        self._sprites: dict[tuple[str, int], torch.Tensor] = {}

    def _allowed(self, kind, values):
        table = torch.ones(len(self.concepts), len(values), dtype=torch.bool)
        for row in read_csv(self.root / "heldout.csv"):
            if row["kind"] == kind:
                table[self.by_id[row["id"]].index, values.index(row["value"])] = False
        return table

    def tier(self, name: str) -> torch.Tensor:
        """Indices of the concepts of a tier: "core", "wide" (core included), "heldout"; LongTensor."""
        members = {"core": {"core"}, "wide": {"core", "wide"}, "heldout": {"heldout"}}[name]
        return torch.tensor([c.index for c in self.concepts if c.tier in members])

    def members(self, category: str) -> torch.Tensor:
        """Indices of the core concepts that belong to a category; LongTensor."""
        return torch.tensor([self.by_id[r["id"]].index for r in self._memberships if r["category"] == category])

    def categories_of(self, index: int) -> Sequence[str]:
        """The categories of a concept, by its index; () outside the core."""
        return self._by_concept.get(self.concepts[index].id, ())

    @functools.cached_property
    def _by_concept(self):
        found = {}
        for row in self._memberships:
            found.setdefault(row["id"], []).append(row["category"])
        return found

    @functools.cached_property
    def vocabulary(self) -> set[str]:
        """Every word that a training caption may contain, typos excluded: set of lower-case strings."""
        known = [name for c in self.concepts if c.tier != "heldout" for name in (c.name, *c.aliases)]
        names = [*known, *map(words.plural, known), *self.said.values()]
        return phrases.vocabulary() | {word for name in names for word in phrases.split(name)}

    def conditional(self, **said: str) -> dict[str, torch.Tensor]:
        """The probability of every attribute given these words, see chances.conditional."""
        return chances.conditional(self, **said)

    def sample(self, n: int, rng: torch.Generator, **said: str) -> tuple[torch.Tensor, ...]:
        """Scenes sampled from that distribution, see chances.sample."""
        return chances.sample(self, n, rng, **said)

    def sprites(self, style: str, size: int = CELL) -> torch.Tensor:
        """Every concept's sprite in a style: (concepts, 4, size, size) uint8, colour times alpha, then alpha.

        Colour is premultiplied, so that a downscaled edge contains no colour from transparent pixels.
        """
        if (style, size) not in self._sprites:
            if size == CELL:
                self._sprites[style, size] = _premultiply(_cut(self.root / f"{style}.webp", len(self.concepts)))
            else:
                self._sprites[style, size] = _shrink(self.sprites(style), size)
        return self._sprites[style, size]


@functools.cache
def world() -> World:
    """The one shared World, read on first use."""
    return World()


def prompts(tier: str | None = None, split: str | Iterable[str] | None = None) -> list[dict[str, str]]:
    """Rows of the frozen prompt list (prompts.csv), as dicts; an empty attribute is unspecified, and not evaluated.

    tier: core or wide. split: a name, or several: full, open, category, unseen_wording, unknown_word, aliases,
    heldout_colour, heldout_style, counts, pairs. For a school class without those that are refused, see school.py.
    """
    rows = read_csv(checked("emoji") / "prompts.csv")
    wanted, known = {split} if isinstance(split, str) else set(split or ()), {r["split"] for r in rows}
    if not wanted <= known:
        unknown, there = (", ".join(sorted(names)) for names in (wanted - known, known))
        raise EduError(f"There is no split {unknown} in prompts.csv; there are: {there}.")
    rows = [r for r in rows if tier in (None, r["tier"]) and (split is None or r["split"] in wanted)]
    return [r for r in rows if school.allowed([r["prompt"]])]


def read_csv(path: str | os.PathLike) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _concept(index, row):
    aliases = tuple(filter(None, row["aliases"].split("|")))
    return Concept(index, row["id"], row["character"], row["name"], aliases, row["category"], row["tier"])


def _cut(path, n):
    sheet = torch.from_numpy(np.array(Image.open(path).convert("RGBA")))
    rows, columns = sheet.shape[0] // CELL, sheet.shape[1] // CELL
    cells = sheet.view(rows, CELL, columns, CELL, 4).permute(0, 2, 4, 1, 3)
    return cells.reshape(-1, 4, CELL, CELL)[:n]


def _premultiply(rgba):
    colour = (rgba[:, :3].int() * rgba[:, 3:].int() + 127) // 255
    return torch.cat([colour.to(torch.uint8), rgba[:, 3:]], dim=1)


def _shrink(sprites, size):
    small = torch.nn.functional.interpolate(sprites.float(), (size, size), mode="bilinear", antialias=True)
    return small.round().clamp(0, 255).to(torch.uint8)
