"""The map of a run that is clicked: every box opens and shows its tensor, its code, its lesson and its term.

The browser draws (pipeline.js), and sends which box is chosen; what it then shows is computed here.
"""

import base64
import pathlib
import random

from anywidget import AnyWidget
from traitlets import Bool, Dict, Int, List, Unicode

from ..figures.run_map import run_map
from ..steps import GUIDANCE
from .explore import DRAWING, asked_in_browser
from .journey import journey
from .opened import details, laid_out

__all__ = ["PipelineMap", "marked"]


class PipelineMap(AnyWidget):
    """The data flow of one run, from its trace; click a box, or Tab to it and press Enter.

    pipe: a StableDiffusionPipeline. control: a steps.Control, and its ControlNet is on the map as well; of a
    StableDiffusionControlNetPipeline the condition will do, (3, H, W) in [0, 1].
    prompt, seed, steps, guidance: of the run. box: the name of the box that is open at first, such as "unet",
    "down_blocks.0", "guidance" or "picture". step: from 1. exam: whether it begins without labels, which the
    learner then picks. dtype: what the trace keeps, as for `record`.
    The pipeline runs once, when the map is first shown; `redraw` runs it again, after a training, say.
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

    def __init__(self, pipe, prompt="a cat face on a blue background", seed=0, steps=10, guidance=GUIDANCE,
                 control=None, box="unet", step=1, exam=False, dtype=None):
        self._settings = {"seed": seed, "steps": steps, "guidance": guidance, "control": control,
                          "dtype": dtype}
        self._pipe, self._prompt, self._run, self._diagram = pipe, prompt, None, None
        super().__init__(chosen=box, step=step, steps=steps, exam=exam)
        self.observe(lambda _: self._open(), ["chosen", "step"])
        self.observe(lambda _: self._mark(), "answers")

    @property
    def run(self):
        """The Journey that the map shows; made when it is first asked for."""
        if self._run is None:
            self.redraw()
        return self._run

    def redraw(self):
        """Run the pipeline, and draw its map and the open box anew."""
        with DRAWING:
            self._run = returned(journey(self._pipe, self._prompt, **self._settings))
            self._diagram = laid_out(self._run)
        labels = [box.label for box in asked(self._diagram)]
        random.Random(0).shuffle(labels)
        self.choices, self.diagram = labels, plain(self._diagram)
        self._mark()
        self._open()

    def figure(self):
        """The same map as a Picture, with the chosen box opened: it is seen without a browser or a kernel."""
        run = self.run
        with DRAWING:
            return run_map(self._diagram, details(run, self.chosen, self.step - 1))

    def _open(self):
        """Compute the details of the chosen box; a mistake is told in the widget."""
        if self._run is None:
            return
        try:
            with DRAWING:
                self.details, self.problem = sent(details(self._run, self.chosen, self.step - 1)), ""
        except ValueError as error:  # EduError is one: a sentence for the person at the keyboard
            self.problem = str(error)
            if not asked_in_browser():
                raise

    def _mark(self):
        if self._diagram:
            self.marks = marked(self._diagram, self.answers)

    def _repr_mimebundle_(self, **options):
        """The live map, and beside it the plain picture for places without a kernel."""
        picture = self.figure()
        data, metadata = super()._repr_mimebundle_(**options)
        return {**data, **picture._repr_mimebundle_()}, metadata


def returned(generator):
    """Run a generator to its end; what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def asked(diagram):
    """The boxes that the exam asks for: all but the single blocks of the U-Net."""
    return [box for box in diagram.boxes if not box.inside]


def marked(diagram, answers):
    """Mark the labels that a learner picked.

    answers: {name of a box: label}. Returns {"right": names, "wrong": names, "words": a sentence}.
    """
    boxes = asked(diagram)
    given = [box for box in boxes if answers.get(box.name)]
    right = [box.name for box in given if answers[box.name] == box.label]
    left = len(boxes) - len(given)
    words = f"{len(right)} of {len(boxes)} are right" + (f"; {left} have no label yet." if left else ".")
    return {"right": right, "wrong": [box.name for box in given if box.name not in right], "words": words}


def plain(diagram):
    """A Diagram as dictionaries and lists, for the browser."""
    return {**diagram._asdict(), "boxes": [box._asdict() for box in diagram.boxes],
            "arrows": [arrow._asdict() for arrow in diagram.arrows]}


def sent(details):
    """Details as a dictionary of words, for the browser; the picture as PNG in base64, with its alt text."""
    picture = details.picture
    shown = {"png": base64.b64encode(picture.png).decode(), "alt": picture.alt} if picture else None
    return {**details._asdict(), "code": details.code.splitlines(), "picture": shown}
