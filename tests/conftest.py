"""Every test runs offline and without a display; warnings are errors (see pyproject.toml)."""

import os
import runpy
from pathlib import Path

import edu_diffusion  # noqa: F401  (first, as for a learner: it sets how much the libraries say)

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["MPLBACKEND"] = "agg"
# By path: a system's own sitecustomize may have taken the name.
runpy.run_path(str(Path(__file__).parent / "offline" / "sitecustomize.py"))
