"""The common mechanism of all widgets: controls, and a picture that a function computes from their values.

The function knows nothing about widgets, so it can be tested, and its picture seen, without a browser or a kernel.
It returns a Picture, or is a generator that yields progress messages and Pictures. Between two yields
it is stopped as soon as there is a newer value, or "Stop" was pressed. A message such as "Step 3 of 20" is shown
with a progress bar.

The thread depends on the origin of a request. A value set by a cell is drawn in that cell, and an
exception is raised there. A value set in the browser is drawn in a thread of its own, because the kernel
receives no newer value while a callback runs; an error is then shown as a sentence in the widget. In both cases a
lock allows only one redraw at a time, and the number of a request tells whether it is still current: the last
value wins, and no two redraws mix.
(All widgets share the lock: they may share a model, and matplotlib is not thread-safe.)
"""

import threading
from collections.abc import Callable, Mapping
from inspect import isgenerator
from types import MappingProxyType
from typing import Any

from IPython import get_ipython
from ipywidgets import HTML, Button, HBox, Layout, VBox, Widget

from ..data import school
from ..errors import said
from ..figures import Picture
from .hints import Drawing
from .keys import Keys
from .messages import error_sentence, message_html, progress_bar

__all__ = ["Explore"]

DRAWING = threading.RLock()


class Explore(VBox):
    """Controls above the picture that `draw` computes from their values.

    draw: a function with one keyword argument for each control; see above. controls: ipywidgets, by the name
    of that argument; use controls with an accessible name: Slider (ipywidgets' own sliders have
    none), Text, BoundedIntText, BoundedFloatText, Dropdown, Checkbox with a description. button: its caption,
    or None. Nothing is drawn before the widget is shown.
    """

    def __init__(self, draw: Callable[..., Picture | Drawing], *, button: str | None = None, **controls: Widget) -> None:
        self._draw = draw
        self._controls = MappingProxyType(controls)
        self._number = 0
        self._stopped: int | None = None
        self._counting = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._shown: dict[str, Any] | None = None
        self._message = ""
        self.picture: Picture | None = None
        self._screen = HTML()
        self._sentence = HTML()
        self.stop = Button(description=said("Stop"), layout=Layout(width="auto", display="none"))
        self.stop.on_click(self._stop)
        self.button = self._draw_button(button) if button else None
        super().__init__(self._rows())
        self.add_class("edu-explore")
        for control in controls.values():
            if hasattr(control, "style"):
                control.style.description_width = "initial"
            control.observe(self._request, "value")

    def _draw_button(self, caption):
        """Return the button that draws."""
        button = Button(description=caption, button_style="primary", layout=Layout(width="auto"))
        button.on_click(self._request)
        return button

    def _rows(self):
        """Return the rows: the controls, the message, the picture."""
        pressed = [self.button] if self.button else []
        bar = HBox([*self.controls.values(), *pressed], layout=Layout(flex_flow="row wrap"))
        below = HBox([self._sentence, self.stop, Keys()], layout=Layout(min_height="34px"))  # the picture does not move
        return [bar, below, self._screen]

    @property
    def controls(self) -> Mapping[str, Widget]:
        """The controls by name; a mapping that cannot be changed."""
        return self._controls

    @property
    def values(self) -> dict[str, Any]:
        """The current values of the controls, by name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def message(self) -> str:
        """The sentence that is displayed under the controls, plain text; "" if there is none."""
        return self._message

    def figure(self) -> Picture:
        """Return the Picture for the current values, computed anew; nothing is shown. Raises what `draw` raises."""
        with DRAWING:
            return last_picture(self._drawn(self.values))

    def _drawn(self, values):
        """What `draw` makes of some values; a text that a class should not see drawn is refused, see data/school.py."""
        school.check(list(values.values()))
        return self._draw(**values)

    def redraw(self) -> None:
        """Draw the current values now, in this thread. Raises what `draw` raises."""
        self._paint(self._next())

    def wait(self, timeout: float | None = None) -> None:
        """Wait until everything requested in the browser is drawn."""
        for thread in list(self._threads):
            thread.join(timeout)

    def _request(self, _):
        """Handle a new value of a control, or a press of the button."""
        if self.values == self._shown:
            return
        number = self._next()
        if not asked_in_browser():
            return self._paint(number)
        thread = threading.Thread(target=self._paint, args=(number, True), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _next(self):
        with self._counting:
            self._number += 1
            return self._number

    def _stop(self, _):
        """Handle a press of "Stop": the current run is no longer needed."""
        self._stopped = self._next()

    def _paint(self, number, browser=False):
        """Draw request `number`, unless or until there is a newer one; show any error in the widget.

        The error is raised, too. For a request from the browser nobody would catch it: then a ValueError, which is
        the user's mistake, is only shown.
        """
        with DRAWING:
            if number != self._number:
                return
            values, self._shown = self.values, None
            try:
                finished = self._show_all(self._drawn(values), number)
                self._shown = values if finished else None
                if self._number == self._stopped:
                    self._say(said("Stopped."))
            except BaseException as error:
                self._say(error_sentence(error), alert=True)
                if not (browser and isinstance(error, ValueError)):
                    raise

    def _show_all(self, drawn, number):
        """Show the results one after the other; return False if a newer request interrupted them.

        A picture that is ready is shown even then, so that a user who drags a slider sees something.
        """
        for item in drawn if isgenerator(drawn) else [drawn]:
            if isinstance(item, Picture):
                self.picture, self._screen.value = item, item.html()
            self._say("" if isinstance(item, Picture) else str(item))
            if number != self._number:
                if isgenerator(drawn):
                    drawn.close()
                return False
        return True

    def _say(self, sentence, alert=False):
        """Show a message under the controls; while it reports progress, the work can be stopped."""
        self._message = sentence
        self._sentence.value = message_html(sentence, alert)
        self.stop.layout.display = "" if progress_bar(sentence) and not alert else "none"

    def _repr_mimebundle_(self, **options):
        """Return the live widget and, for viewers without a kernel, the plain picture."""
        if self.picture is None:
            try:
                self.redraw()
            except Exception as error:
                fail(error)
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        plain = self.picture._repr_mimebundle_() if self.picture else {}
        return {**(data or {}), **plain}, metadata


def last_picture(drawn):
    """Return the last Picture among the results."""
    pictures = [item for item in (drawn if isgenerator(drawn) else [drawn]) if isinstance(item, Picture)]
    if not pictures:
        raise TypeError("The function of a widget must return or yield a Picture.")
    return pictures[-1]


def fail(error):
    """Let the cell fail, with only a sentence if that is enough, and still show the widget: IPython would drop it."""
    shell = get_ipython()
    if shell is None:
        raise error
    shell.showtraceback(exception_only=isinstance(error, ValueError))


def asked_in_browser():
    """Whether this runs because of a message from the browser, and not because of a cell or a program."""
    try:
        return get_ipython().kernel.get_parent("shell")["header"]["msg_type"] == "comm_msg"
    except (AttributeError, KeyError, TypeError):  # no kernel, or one that does not say
        return False
