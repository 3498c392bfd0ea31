"""Tensors in, pictures with their own description out: what the lessons and widgets show.

numpy and matplotlib only, and never pyplot. Every function returns a Picture, except `source`, which shows code.
"""

from .film import contact_sheet, film_strip, row
from .map import course_map, pipeline_map
from .nearest import nearest
from .picture import Picture, picture, to_png
from .source import source
from .tensors import channels, maps, tokens

__all__ = [
    "Picture", "channels", "contact_sheet", "course_map", "film_strip", "maps", "nearest", "picture", "pipeline_map", "row", "source",
    "to_png", "tokens",
]
