"""Controls plus a picture: every widget is a pure figure function, shown by the one mechanism in explore.py."""

from .explore import Explore
from .prompt import PromptWidget

__all__ = ["Explore", "PromptWidget"]
