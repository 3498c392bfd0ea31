"""Every test runs offline and without a display; warnings are errors (see pyproject.toml)."""

import os
import runpy
from pathlib import Path

import pytest

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


# ---------------------------------------------------------------- faults caused on purpose

FAULTS = {
    "lost": "something of the user's is lost",
    "silent": "a wrong result without a word",
    "wrong": "a right thing is refused",
    "ugly": "a traceback or a hang",
}


def pytest_collection_modifyitems(items):
    """Let the report of a test marked @pytest.mark.fault(kind) carry its kind, also from a worker process."""
    for item in items:
        mark = item.get_closest_marker("fault")
        if mark:
            item.user_properties.append(("fault", mark.args[0]))


def pytest_terminal_summary(terminalreporter):
    """Print how many faults were caused on purpose, and which kinds were not survived."""
    caused, failed = {}, {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            kind = dict(getattr(report, "user_properties", ())).get("fault")
            if kind:
                caused[report.nodeid] = kind
                failed |= {report.nodeid: kind} if outcome != "passed" else {}
    if caused:
        counts = ", ".join(f"{kind} {list(failed.values()).count(kind)}" for kind in FAULTS)
        terminalreporter.write_line(f"faults: {len(caused)} caused on purpose, {len(caused) - len(failed)} survived; {counts}")
