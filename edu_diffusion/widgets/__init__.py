"""Controls plus a picture: every widget is a pure figure function, shown by the one mechanism in explore.py."""

from .attention import AttentionExplorer
from .clip import ClipExplorer
from .explore import Explore
from .guidance import GuidanceExplorer
from .latents import LatentExplorer
from .prompt import PromptWidget
from .timeline import TimelineExplorer
from .unet import UNetInspector
from .watch import watch

__all__ = [
    "AttentionExplorer", "ClipExplorer", "UNetInspector",
    "Explore", "GuidanceExplorer", "LatentExplorer", "PromptWidget", "TimelineExplorer", "watch",
]
