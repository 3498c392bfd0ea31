"""The clickable map of a run: every box opens and shows its tensor, its code, its lesson and its glossary term.

The browser draws (widget.js) and sends the name of the chosen box; its details are computed here.
"""

import base64
import pathlib
import random
from collections.abc import Mapping
from typing import Any

from anywidget import AnyWidget
from traitlets import Bool, Dict, Int, List, Unicode

from ...figures import Picture
from ...figures.pipeline import Diagram
from ...figures.run_map import run_map
from ...steps import GUIDANCE, Control
from ..explore import DRAWING, asked_in_browser
from ..hints import DType, Pipeline, Tensor
from ..progress import finished
from .details import details, laid_out
from .run import RecordedRun, record_run

__all__ = ["PipelineMap", "marked"]


class PipelineMap(AnyWidget):
    """The data flow of one run, from its trace; click a box, or Tab to it and press Enter.

    pipe: a StableDiffusionPipeline. control: a steps.Control, whose ControlNet is then on the map as well; for a
    StableDiffusionControlNetPipeline the condition is enough, (3, H, W) in [0, 1].
    prompt, seed, steps, guidance: of the run. box: the name of the box that is open at first, such as "unet",
    "down_blocks.0", "guidance" or "picture". step: from 1. exam: whether it starts without labels, which the
    learner then chooses. dtype: of the stored tensors, as for `record`.
    The pipeline runs once, when the map is first shown; `redraw` runs it again, for example after training.
    """

    _esm = pathlib.Path(__file__).with_suffix(".js")
    diagram = Dict().tag(sync=True)
    chosen = Unicode().tag(sync=True)
    details = Dict().tag(sync=True)
    step = Int(1).tag(sync=True)
    steps = Int(1).tag(sync=True)
    exam = Bool(False).tag(sync=True)
    choices = List().tag(sync=True)
    answers = Dict().tag(sync=True)  # {name of a box: label}
    marks = Dict().tag(sync=True)
    problem = Unicode().tag(sync=True)

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        steps: int = 10,
        guidance: float = GUIDANCE,
        control: Control | Tensor | None = None,
        box: str = "unet",
        step: int = 1,
        exam: bool = False,
        dtype: DType | None = None,
    ) -> None:
        self._settings: dict[str, Any] = {"seed": seed, "steps": steps, "guidance": guidance, "control": control, "dtype": dtype}
        self._pipe = pipe
        self._prompt = prompt
        self._run: Any = None
        self._diagram: Any = None
        super().__init__(chosen=box, step=step, steps=steps, exam=exam)
        self.observe(lambda _: self._open(), ["chosen", "step"])
        self.observe(lambda _: self._mark(), "answers")

    @property
    def run(self) -> RecordedRun:
        """The RecordedRun that the map shows; computed on first use."""
        if self._run is None:
            self.redraw()
        return self._run

    def redraw(self) -> None:
        """Run the pipeline again, and redraw its map and the open box."""
        with DRAWING:
            self._run = finished(record_run(self._pipe, self._prompt, **self._settings))
            self._diagram = laid_out(self._run)
        labels = [box.label for box in exam_boxes(self._diagram)]
        random.Random(0).shuffle(labels)
        self.choices, self.diagram = labels, diagram_dict(self._diagram)
        self._mark()
        self._open()

    def figure(self) -> Picture:
        """Return the same map as a Picture, with the chosen box opened: it needs no browser and no kernel."""
        run = self.run
        with DRAWING:
            return run_map(self._diagram, details(run, self.chosen, self.step - 1))

    def _open(self):
        """Compute the details of the chosen box; an error is shown in the widget."""
        if self._run is None:
            return
        try:
            with DRAWING:
                self.details, self.problem = details_dict(details(self._run, self.chosen, self.step - 1)), ""
        except ValueError as error:  # EduError is one: a sentence for the user
            self.problem = str(error)
            if not asked_in_browser():
                raise

    def _mark(self):
        if self._diagram:
            self.marks = marked(self._diagram, self.answers)

    def _repr_mimebundle_(self, **options):
        """Return the live map and, for viewers without a kernel, the plain picture."""
        picture = self.figure()
        data, metadata = super()._repr_mimebundle_(**options)
        return {**data, **picture._repr_mimebundle_()}, metadata


def exam_boxes(diagram):
    """Return the boxes that the exam asks for: all but the single blocks of the U-Net."""
    return [box for box in diagram.boxes if not box.inside]


def marked(diagram: Diagram, answers: Mapping[str, str]) -> dict[str, Any]:
    """Mark the labels that a learner chose.

    answers: {name of a box: label}. Returns {"right": names, "wrong": names, "words": a sentence}.
    """
    boxes = exam_boxes(diagram)
    given = [box for box in boxes if answers.get(box.name)]
    right = [box.name for box in given if answers[box.name] == box.label]
    left = len(boxes) - len(given)
    words = f"{len(right)} of {len(boxes)} are right" + (f"; {left} have no label yet." if left else ".")
    return {"right": right, "wrong": [box.name for box in given if box.name not in right], "words": words}


def diagram_dict(diagram):
    """Return a Diagram as dictionaries and lists, for the browser."""
    return {
        **diagram._asdict(),
        "boxes": [box._asdict() for box in diagram.boxes],
        "arrows": [arrow._asdict() for arrow in diagram.arrows],
    }


def details_dict(details):
    """Return Details as a dictionary of strings, for the browser; the picture as PNG in base64, with its alt text."""
    picture = details.picture
    shown = {"png": base64.b64encode(picture.png).decode(), "alt": picture.alt} if picture else None
    return {**details._asdict(), "code": details.code.splitlines(), "picture": shown}
