"""Figures of the lessons and widgets: functions of tensors that return a picture with its alt text.

They use only numpy, matplotlib and Pillow, never pyplot. Every function returns a Picture, except `source`, which shows code.
"""

from .anatomy import architectures
from .attention import attention_overlay
from .checkpoint import checkpoint_layout
from .clip import caption_growth, caption_neighbours, similarity_map, swapped_word
from .code import source
from .comparison import compared
from .control import controlled, convergence
from .digit_images import digits
from .edit import dial, edited
from .effects import effect
from .features import block_bars, feature_maps
from .few_steps import fast_and_good, quick_row
from .film import contact_sheet, film_strip, row
from .guidance_panels import guidance
from .histograms import histogram
from .lora import adapted, change_bars
from .loss_curve import training
from .map import pipeline_map
from .memory import Need, memory_bars
from .moments import Moment, timeline
from .neighbours import nearest
from .noise_stages import noising
from .order_plots import order, orders
from .points import clouds
from .rendering import Picture, picture, to_png
from .schedule_plots import noise_level, schedules
from .tensors import channels, maps, tokens
from .unet import time_embedding, without
from .vae import Coded, edited_latent, reconstructions, ways

__all__ = [
    "Picture",
    "architectures",
    "attention_overlay",
    "block_bars",
    "channels",
    "checkpoint_layout",
    "clouds",
    "contact_sheet",
    "digits",
    "feature_maps",
    "film_strip",
    "histogram",
    "maps",
    "Need",
    "memory_bars",
    "nearest",
    "noise_level",
    "picture",
    "Coded",
    "Moment",
    "edited_latent",
    "guidance",
    "reconstructions",
    "timeline",
    "ways",  # explorers
    "caption_growth",
    "caption_neighbours",
    "similarity_map",
    "swapped_word",
    "time_embedding",
    "without",
    "effect",
    "noising",
    "order",
    "orders",  # lessons 03 and 07
    "dial",
    "edited",  # lesson 09
    "controlled",
    "convergence",  # lesson 11
    "fast_and_good",
    "quick_row",  # lesson 15
    "adapted",
    "change_bars",
    "compared",
    "pipeline_map",
    "row",
    "schedules",
    "source",
    "to_png",
    "tokens",
    "training",
]
