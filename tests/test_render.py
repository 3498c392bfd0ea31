"""Rendering: outputs are saved, nothing specific to a machine or run remains, and a failure leaves the file unchanged."""

import base64
import io
from argparse import Namespace

import nbformat
import numpy as np
import pytest
from PIL import Image

from edu_diffusion.cli import lessons, main, render
from edu_diffusion.errors import EduError
from edu_diffusion.figures import pipeline_map

SHOWN = """
from edu_diffusion.figures import pipeline_map
from edu_diffusion.widgets import Explore
from ipywidgets import BoundedIntText
Explore(lambda step: pipeline_map("unet"), step=BoundedIntText(1, description="Step"))
"""


def write(path, *sources, **metadata):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "someones-venv", "display_name": "Mine"}, **metadata}
    )
    nbformat.write(notebook, path)
    return path


def noise(width=200):
    pixels = np.random.default_rng(0).integers(0, 256, (100, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_lesson_is_run_and_tidied(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "lesson.ipynb", "open('left behind.txt', 'w').write('x')", SHOWN, "", "print('end')")
    assert render.render(path) == path.stat().st_size
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, None, 3]
    data = notebook.cells[1].outputs[0]["data"]
    assert data["text/html"].count("data:image/png;base64,") == 1 and "alt=" in data["text/html"]
    assert "image/png" not in data, "an explorer's picture is kept once"
    assert not [kind for kind in data if "widget" in kind]
    assert notebook.metadata == render.METADATA and notebook.cells[3].outputs[0].text == "end\n"
    assert [p.name for p in tmp_path.iterdir()] == ["lesson.ipynb"], "what a cell writes is not left behind"


def test_a_failing_cell_leaves_the_file_as_it_was(tmp_path):
    path = write(tmp_path / "lesson.ipynb", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(EduError, match="lesson.ipynb was not rendered(.|\n)*ZeroDivisionError"):
        render.render(path)
    assert path.read_bytes() == before


def test_too_large_a_result_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "execute", lambda notebook, name: None)
    path = write(tmp_path / "lesson.ipynb", f"x = '{'a' * render.MOST_BYTES}'")
    before = path.read_bytes()
    with pytest.raises(EduError, match="more than 300000"):
        render.render(path)
    assert path.read_bytes() == before


def test_tidying_takes_out_what_differs_from_run_to_run():
    cell = nbformat.v4.new_code_cell("1", id="ABCDEF01", metadata={"tags": ["solution"], "execution": {"iopub": "now"}})
    cell.outputs = [nbformat.v4.new_output("display_data", {render.LIVE: {"model_id": "1"}, "text/plain": "x"})]
    tidied = render.tidy(nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}}))
    assert tidied.metadata == render.METADATA and tidied.cells[0].metadata == {"tags": ["solution"]}
    assert tidied.cells[0].id == "cell-0" and tidied.cells[0].outputs[0]["data"] == {"text/plain": "x"}
    again = nbformat.writes(tidied)
    assert nbformat.writes(render.tidy(nbformat.reads(again, as_version=4))) == again


def test_pictures_become_small_in_both_places():
    old = noise()
    data = {"image/png": old + "\n", "text/html": f'<img alt="x" src="{old}">'}
    output = nbformat.v4.new_output("display_data", data)
    render.tidy_output(output)
    new = output.data["image/png"]
    assert len(new) < 0.5 * len(old) and output.data["text/html"] == f'<img alt="x" src="{new}">'
    picture = Image.open(io.BytesIO(base64.b64decode(new)))
    assert picture.size == (200, 100) and len(picture.convert("RGB").getcolors()) <= render.MANY
    assert render.small(new) == new, "and the second time nothing changes"


def test_drawings_need_fewer_colours_than_pictures():
    def colours(png):
        return len(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB").getcolors(1 << 24))

    drawing = base64.b64encode(pipeline_map().png).decode()
    assert colours(drawing) > render.MANY and colours(render.small(drawing)) <= render.FEW
    assert render.FEW < colours(render.small(noise())) <= render.MANY


def test_lessons_are_chosen_by_name(tmp_path):
    for name in ("08_pipeline", "00_start"):
        write(tmp_path / f"{name}.ipynb", "1")
    assert [p.stem for p in render.chosen([], tmp_path)] == ["00_start", "08_pipeline"]
    assert [p.stem for p in render.chosen(["08_pipeline.ipynb"], tmp_path)] == ["08_pipeline"]
    with pytest.raises(EduError, match="no lesson '09'; there are 00_start, 08_pipeline"):
        render.chosen(["09"], tmp_path)


def test_the_verb(monkeypatch, capsys, tmp_path):
    write(tmp_path / "00_start.ipynb", "1")
    monkeypatch.setattr(lessons, "source", lambda: tmp_path)
    monkeypatch.setattr(render, "render", lambda path: 123_456)
    args, rest = main.understand(["render", "00_start"])
    args.run(args, rest)
    assert "00_start.ipynb 123 KB" in capsys.readouterr().out
    with pytest.raises(EduError):
        render.run(Namespace(lessons=["x"]))
