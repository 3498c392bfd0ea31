"""The one mechanism of all widgets: controls, and a picture that a function makes of their values.

The function knows nothing of widgets, so it can be tested, and its picture seen, without a browser or a kernel.
It returns a Picture, or is a generator that yields sentences (what it is doing) and Pictures. Between two yields
it is stopped as soon as a newer value has come.

Who draws, and in which thread, depends on who asked. A value set by a cell is drawn in that cell, and an
exception is the cell's. A value set in the browser is drawn in a thread of its own, because the kernel
receives no newer value while a callback runs. Either way one lock lets one drawing run at a time, and the
number of the request tells it whether it is still wanted: the last value wins, and no two drawings mix.
(The lock is one for all widgets: they may share a model, and matplotlib is not made for several threads.)
"""

import html
import threading
from inspect import isgenerator

from ipywidgets import HTML, Button, HBox, Layout, VBox

from ..figures import Picture

__all__ = ["Explore"]

DRAWING = threading.Lock()


class Explore(VBox):
    """Controls above the picture that `draw` makes of their values.

    draw: a function with one keyword argument for each control; see above. controls: ipywidgets, by the name
    of that argument; take controls that have a name to be read aloud: Text, BoundedIntText, BoundedFloatText,
    Dropdown, Checkbox with a description (ipywidgets' sliders have none). button: its caption, or None.
    Nothing is drawn before the widget is shown.
    """

    def __init__(self, draw, *, button=None, **controls):
        self._draw, self._controls = draw, controls
        self._number, self._counting = 0, threading.Lock()
        self._threads, self._shown, self.picture = [], None, None
        self._screen, self._words = HTML(), HTML()
        for control in controls.values():
            control.style.description_width = "initial"
            control.observe(self._request, "value")
        self.button, pressed = None, []
        if button:
            self.button = Button(description=button, button_style="primary", layout=Layout(width="auto"))
            self.button.on_click(self._request)
            pressed = [self.button]
        bar = HBox([*controls.values(), *pressed], layout=Layout(flex_flow="row wrap"))
        super().__init__([bar, self._words, self._screen])

    @property
    def values(self):
        """The present values of the controls, by name."""
        return {name: control.value for name, control in self._controls.items()}

    def figure(self):
        """The Picture for the present values, made from scratch; nothing is shown. Raises what `draw` raises."""
        return last_picture(self._draw(**self.values))

    def redraw(self):
        """Draw the present values now, in this thread. Raises what `draw` raises, apart from ValueError."""
        self._paint(self._next())

    def wait(self, timeout=None):
        """Wait until everything asked for in the browser is drawn."""
        for thread in list(self._threads):
            thread.join(timeout)

    def _request(self, _):
        """A control has a new value, or the button was pressed."""
        if self.values == self._shown:
            return
        number = self._next()
        if not asked_in_browser():
            return self._paint(number)
        thread = threading.Thread(target=self._paint, args=(number,), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _next(self):
        with self._counting:
            self._number += 1
            return self._number

    def _paint(self, number):
        """Draw request `number`, unless or until there is a newer one; say in the widget what goes wrong."""
        with DRAWING:
            if number != self._number:
                return
            values, self._shown = self.values, None
            try:
                finished = self._show_all(self._draw(**values), number)
                self._shown = values if finished else None
            except ValueError as error:  # EduError is one: a sentence for the person at the keyboard
                self._say(str(error), alert=True)
            except BaseException as error:
                self._say(f"{type(error).__name__}: {error}", alert=True)
                raise

    def _show_all(self, drawn, number):
        """Show what is drawn, one after the other; return False when a newer request cut it short."""
        for item in drawn if isgenerator(drawn) else [drawn]:
            if number != self._number:
                drawn.close()
                return False
            if isinstance(item, Picture):
                self.picture, self._screen.value = item, item.html()
            self._say("" if isinstance(item, Picture) else str(item))
        return True

    def _say(self, sentence, alert=False):
        colour = "#a1260d" if alert else "#5f6b76"
        role = "alert" if alert else "status"
        self._words.value = f'<p role="{role}" style="color:{colour};margin:0">{html.escape(sentence)}</p>'

    def _repr_mimebundle_(self, **options):
        """The live widget, and beside it the plain picture for places without a kernel."""
        if self.picture is None:
            self.redraw()
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        plain = self.picture._repr_mimebundle_() if self.picture else {}
        return {**(data or {}), **plain}, metadata


def last_picture(drawn):
    """The last Picture among what was drawn."""
    pictures = [item for item in (drawn if isgenerator(drawn) else [drawn]) if isinstance(item, Picture)]
    if not pictures:
        raise TypeError("The function of a widget must return or yield a Picture.")
    return pictures[-1]


def asked_in_browser():
    """Whether this runs because of a message from the browser, not because a cell or a program asked."""
    try:
        from IPython import get_ipython
        return get_ipython().kernel.get_parent("shell")["header"]["msg_type"] == "comm_msg"
    except (ImportError, AttributeError, KeyError, TypeError):  # no kernel, or one that does not say
        return False
