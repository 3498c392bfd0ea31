"""The command `render`: run the lessons and save their outputs in the notebooks. All committed outputs are made this way.

    python3 -m edu_diffusion render 00_start

Every lesson runs from the beginning, in an empty folder, with this very Python. Whatever would differ between runs
or machines is removed. Pictures are reduced to 64 colours, diagrams of text and lines to 16, so that a
lesson stays below 300 KB.
"""

import base64
import io
import os
import re
import tempfile
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

from . import languages, lessons, versions

MOST_BYTES = 300_000
FEW, MANY = 16, 64  # colours
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
LIVE = "application/vnd.jupyter.widget-view+json"


def run(args, rest=()):
    """Render the lessons named, or all of them; with --language those of another language."""
    for path in chosen(args.lessons, languages.folder(lessons.source())):
        print(f"{path.name} ...", flush=True)
        size = render(path)
        print(f"{path.name} {size / 1000:.0f} KB")


def chosen(names, folder):
    """Return the paths of the lessons named, with or without .ipynb. Raises EduError for an unknown one."""
    there = {path.stem: path for path in sorted(Path(folder).glob("*.ipynb"))}
    unknown = [name for name in names if Path(name).stem not in there]
    if unknown:
        raise EduError(f"there is no lesson {unknown[0]!r}; there are {', '.join(there)}")
    return [there[Path(name).stem] for name in names] or list(there.values())


def render(path):
    """Run one notebook and write it back atomically; return its size in bytes.

    Raises EduError when a cell fails or the result is too large; the file then stays as it was.
    """
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    execute(notebook, Path(path).name)
    content = (nbformat.writes(tidy(notebook)) + "\n").encode()
    if len(content) > MOST_BYTES:
        raise EduError(f"{Path(path).name} would take {len(content)} bytes, more than {MOST_BYTES}; show fewer pictures")
    files.write_bytes(path, content)
    return len(content)


def execute(notebook, name, timeout=900):
    """Run all cells in a fresh kernel of this Python, in an empty folder."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    notebook.metadata["kernelspec"] = METADATA["kernelspec"]
    with tempfile.TemporaryDirectory() as empty:
        client = NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": empty}})
        try:
            client.execute(env=environment.child_environment(environment.clone_root()))
        except CellExecutionError as error:
            raise EduError(f"{name} was not rendered, because a cell failed: {plain(str(error))}") from error


def plain(text):
    """Return text without terminal colour codes."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def tidy(notebook):
    """Remove what differs between runs, and compress the pictures; return the notebook."""
    notebook.metadata.clear()
    notebook.metadata.update(METADATA)
    for number, cell in enumerate(notebook.cells):
        graded, tags = versions.nbgrader(cell), cell.metadata.get("tags")
        cell.metadata = ({"nbgrader": graded} if graded else {}) | ({"tags": tags} if tags else {})
        if not re.fullmatch(r"[a-z0-9-]{1,24}", cell.get("id", "")):
            cell.id = f"cell-{number}"
        for output in cell.get("outputs", ()):
            tidy_output(output)
    return notebook


def tidy_output(output):
    """Keep the picture of a widget, but not its model, which lives only as long as the kernel; compress pictures."""
    data = output.get("data", {})
    live = data.pop(LIVE, None)
    output.pop("transient", None)
    if "image/png" in data:
        old = "".join(data["image/png"].split())
        data["image/png"] = small(old)
        if "text/html" in data:
            data["text/html"] = data["text/html"].replace(old, data["image/png"])
            if live:
                del data["image/png"]  # the HTML contains it; an explorer's picture is large, so it is stored once


def small(png):
    """Make a PNG, in base64, as small as possible, with few enough colours that no difference is visible."""
    from PIL import Image, ImageChops, ImageStat

    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    for count in (FEW, MANY):
        reduced = picture.quantize(count, kmeans=1, dither=Image.Dither.NONE)
        lost = ImageStat.Stat(ImageChops.difference(picture, reduced.convert("RGB"))).mean
        if max(lost) < 0.75:  # of 255 grey levels
            break
    return min(png, packed(picture), packed(reduced), key=len)


def packed(picture):
    """A picture as a base64 PNG, with the highest compression."""
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
