"""A browser, a JupyterLab and a Voilà for the tests of this folder; without a browser they are skipped.

apt install chromium
python3 -m edu_diffusion test tests/browser
"""

import os
import shutil
import statistics
from pathlib import Path
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
PATIENCE = 60_000  # ms: a busy machine is no failure
ICONS = "https://cdn.jsdelivr.net/npm/@fortawesome/"  # Voilà's own page asks for them; no explorer needs them
SCREEN = {"width": 1024, "height": 768}
ROWS = pytest.StashKey()


def pytest_collection_modifyitems(items):
    """Skip what is here, in words, where something is missing."""
    lacking = missing()
    for item in items:
        if lacking and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=lacking))


def missing():
    """What the tests lack here, in words, or None."""
    if not any(map(shutil.which, NAMES)):
        return f"there is no browser here: none of {', '.join(NAMES)} is found (Debian: apt install chromium)"
    lacking = [name for name in ("playwright", "voila", "axe_playwright_python") if not installed(name)]
    return f'not installed: {", ".join(lacking)} (they are in the extra "test")' if lacking else None


def installed(name):
    from importlib.util import find_spec

    return find_spec(name) is not None


def start(play):
    """The browser of this machine; the super-user may start it only without its sandbox."""
    rights = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    path = next(filter(None, map(shutil.which, NAMES)))
    return play.chromium.launch(executable_path=path, args=FLAGS + rights)


@pytest.fixture(scope="session")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = start(play)
        yield started
        started.close()


@pytest.fixture
def page(browser):
    """A page of a small screen; at the end it must have asked nobody but this machine."""
    context = browser.new_context(viewport=SCREEN, reduced_motion="reduce")
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.on("websocket", lambda socket: asked.append(socket.url))
    yield page
    context.close()
    elsewhere = [
        url
        for url in asked
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1" and not url.startswith(ICONS)
    ]
    assert asked and elsewhere == []


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where the notebooks are."""
    from cases import CASES, LOAD, notebook

    made = tmp_path_factory.mktemp("notebooks")
    for case in CASES:
        notebook(made / f"{case.name}.ipynb", LOAD, case.code)
    return made


@pytest.fixture(scope="session")
def lab(folder, tmp_path_factory):
    import servers

    with servers.lab(folder, tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture(scope="session")
def voila(folder, tmp_path_factory):
    import servers

    with servers.voila(folder, tmp_path_factory.mktemp("voila")) as address:
        yield address


@pytest.fixture
def note(request):
    """Note latencies for the table at the end: note(where, what, milliseconds)."""
    return request.config.stash.setdefault(ROWS, []).append


def pytest_terminal_summary(terminalreporter, config):
    """The table of latencies: measured, never asserted."""
    rows = config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("from slider to new picture, milliseconds")
        terminalreporter.line(f"{'where':12}{'what':34}{'n':>4}{'p50':>8}{'p95':>8}")
    for where, what, times in rows:
        times = sorted(times)
        p95 = times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]
        terminalreporter.line(f"{where:12}{what:34}{len(times):4}{statistics.median(times):8.0f}{p95:8.0f}")
