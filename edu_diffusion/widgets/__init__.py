"""Widgets: controls plus a picture. Each is a pure figure function, shown by the common mechanism in explore.py."""

from .attention import AttentionExplorer
from .clip import ClipExplorer
from .concept_test import ConceptTest
from .control import ControlExplorer
from .edit import EditExplorer
from .explore import Explore
from .few_steps import FewStepsExplorer
from .film import Film
from .first import FirstPicture
from .guidance import GuidanceExplorer
from .live import watch
from .lora import LoraExplorer
from .memory import MemoryExplorer
from .merge import MergeExplorer
from .pad import Pad
from .pipeline_map.widget import PipelineMap
from .prompt import PromptWidget
from .quantization import QuantizationExplorer
from .schedules import ScheduleExplorer
from .side_by_side import SideBySide
from .slider import Slider
from .timeline import TimelineExplorer
from .unet import UNetInspector
from .vae import LatentExplorer

__all__ = [
    "SideBySide",
    "AttentionExplorer",
    "ClipExplorer",
    "ConceptTest",
    "UNetInspector",
    "ControlExplorer",
    "EditExplorer",
    "Pad",
    "Explore",
    "FewStepsExplorer",
    "Film",
    "FirstPicture",
    "GuidanceExplorer",
    "LatentExplorer",
    "MemoryExplorer",
    "QuantizationExplorer",
    "PromptWidget",
    "TimelineExplorer",
    "watch",
    "PipelineMap",
    "LoraExplorer",
    "MergeExplorer",
    "ScheduleExplorer",
    "Slider",
]
