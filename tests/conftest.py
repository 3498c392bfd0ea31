"""Every test runs offline and without a display; warnings are errors (see pyproject.toml)."""

import os
import runpy
from pathlib import Path

import pytest

import edu_diffusion  # noqa: F401  (first, as for a learner: it sets how much the libraries say)

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"
# By path: a system's own sitecustomize may have taken the name.
runpy.run_path(str(Path(__file__).parent / "offline" / "sitecustomize.py"))


@pytest.fixture(scope="module")
def shared():
    import tiny
    return tiny.pipeline()


@pytest.fixture
def pipe(shared):
    """A tiny pipeline of random weights, with a scheduler of its own for every test."""
    import tiny
    shared.scheduler = tiny.scheduler()
    return shared
