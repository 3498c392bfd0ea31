"""Widgets: controls plus a picture. Each is a pure figure function, shown by the common mechanism in explore.py."""

from .attention import AttentionExplorer
from .control import ControlExplorer
from .clip import ClipExplorer
from .edit import EditExplorer
from .explore import Explore
from .guidance import GuidanceExplorer
from .latents import LatentExplorer
from .pipeline import PipelineMap
from .lora import LoraExplorer
from .pad import Pad
from .personal import PersonalExplorer
from .prompt import PromptWidget
from .schedules import ScheduleExplorer
from .slider import Slider
from .timeline import TimelineExplorer
from .unet import UNetInspector
from .watch import watch

__all__ = [
    "PersonalExplorer",
    "AttentionExplorer", "ClipExplorer", "UNetInspector",
    "ControlExplorer", "EditExplorer", "Pad",
    "Explore", "GuidanceExplorer", "LatentExplorer", "PromptWidget", "TimelineExplorer", "watch",
    "PipelineMap",
    "LoraExplorer", "ScheduleExplorer", "Slider",
]
