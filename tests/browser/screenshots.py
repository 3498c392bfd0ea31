"""Photograph the explorers in JupyterLab, for the README.

    python3 tests/browser/screenshots.py [NAME ...]

Each becomes tests/browser/pictures/NAME.png, in few colours so that the file is small. Look at the result.
"""

import io
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = HERE / "pictures"
MOST_BYTES = 80_000
sys.path[:0] = [str(ROOT), str(HERE)]

import cases  # noqa: E402
import conftest  # noqa: E402
import person  # noqa: E402
import servers  # noqa: E402


def main(names):
    """Photograph the explorers named, or all."""
    from playwright.sync_api import sync_playwright

    chosen = [case for case in cases.CASES if case.name in names or not names]
    if conftest.missing():
        sys.exit(conftest.missing())
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as made, sync_playwright() as play:
        folder, browser = Path(made) / "notebooks", conftest.start(play)
        folder.mkdir()
        with servers.lab(folder, Path(made) / "settings") as lab:
            for case in chosen:
                cases.notebook(folder / f"{case.name}.ipynb", cases.LOAD, case.code)
                png = photograph(browser, lab.address(f"{case.name}.ipynb"), case)
                (TARGET / f"{case.name}.png").write_bytes(png)
                print(f"{case.name}.png {len(png) / 1000:.0f} KB", flush=True)


def photograph(browser, address, case):
    """The PNG of an explorer on a narrow screen, after the first things were done to it."""
    page = browser.new_page(viewport=conftest.SCREEN | {"height": 1300})  # nothing of it may be below the edge
    page.set_default_timeout(conftest.PATIENCE)
    page.goto(address)
    person.run_all(page)
    page.keyboard.press("Control+b")  # the list of files is put away
    root = person.opened(page, case)
    for name, what in case.shown:
        before = person.picture(root)
        person.act(root, name, what)
        person.changed(root, before)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    png = root.screenshot()
    page.close()
    return small(png)


def small(png):
    """The same in as many colours as the limit allows."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        file = io.BytesIO()
        picture.quantize(colours, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        if file.tell() < MOST_BYTES:
            break
    return file.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
