"""Figures of the lessons and widgets: functions of tensors that return a picture with its alt text.

They use only numpy and matplotlib, never pyplot. Every function returns a Picture, except `source`, which shows code.
"""

from .compared import compared
from .digits import digits
from .attention import attention_overlay
from .control import controlled, convergence
from .clip import caption_growth, caption_neighbours, similarity_map, swapped_word
from .edit import dial, edited
from .effect import effect
from .features import block_bars, feature_maps
from .film import contact_sheet, film_strip, row
from .guidance import guidance
from .histogram import histogram
from .latents import Coded, edited_latent, reconstructions, ways
from .lora import adapted, change_bars
from .map import course_map, pipeline_map
from .nearest import nearest
from .noising import noising
from .orders import order, orders
from .picture import Picture, picture, to_png
from .points import clouds
from .schedules import level, schedules
from .source import source
from .tensors import channels, maps, tokens
from .timeline import Moment, timeline
from .training import training
from .unet import time_embedding, without

__all__ = [
    "Picture", "attention_overlay", "block_bars", "channels", "clouds", "contact_sheet", "course_map",
    "digits", "feature_maps", "film_strip", "histogram", "level", "maps", "nearest", "picture",
    "Coded", "Moment", "edited_latent", "guidance", "reconstructions", "timeline", "ways",  # explorers
    "caption_growth", "caption_neighbours", "similarity_map", "swapped_word", "time_embedding", "without",
    "effect", "noising", "order", "orders",  # lessons 03 and 07
    "dial", "edited",  # lesson 09
    "controlled", "convergence",  # lesson 11
    "adapted", "change_bars", "compared",
    "pipeline_map", "row", "schedules", "source", "to_png", "tokens", "training",
]
