"""The map of the pipeline, with the values of a recorded run in its boxes."""

from .widget import PipelineMap

__all__ = ["PipelineMap"]
