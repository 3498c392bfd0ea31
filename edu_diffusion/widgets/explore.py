"""The one mechanism of all widgets: controls, and a picture that a function makes of their values.

The function knows nothing of widgets, so it can be tested, and its picture seen, without a browser or a kernel.
It returns a Picture, or is a generator that yields sentences (what it is doing) and Pictures. Between two yields
it is stopped as soon as a newer value has come, or "Stop" was pressed. A sentence such as "Step 3 of 20" has a
progress bar.

Who draws, and in which thread, depends on who asked. A value set by a cell is drawn in that cell, and an
exception is the cell's. A value set in the browser is drawn in a thread of its own, because the kernel
receives no newer value while a callback runs. What goes wrong is a sentence in the widget. Either way one lock lets one drawing run at a time, and the
number of the request tells it whether it is still wanted: the last value wins, and no two drawings mix.
(The lock is one for all widgets: they may share a model, and matplotlib is not made for several threads.)
"""

import html
import re
import threading
from inspect import isgenerator

from IPython import get_ipython
from ipywidgets import HTML, Button, HBox, Layout, VBox

from ..figures import Picture
from .keys import Keys

__all__ = ["Explore"]

DRAWING = threading.RLock()


class Explore(VBox):
    """Controls above the picture that `draw` makes of their values.

    draw: a function with one keyword argument for each control; see above. controls: ipywidgets, by the name
    of that argument; take controls that have a name to be read aloud: Slider (ipywidgets' own sliders have
    none), Text, BoundedIntText, BoundedFloatText, Dropdown, Checkbox with a description. button: its caption,
    or None. Nothing is drawn before the widget is shown.
    """

    def __init__(self, draw, *, button=None, **controls):
        self._draw, self._controls = draw, controls
        self._number, self._stopped, self._counting = 0, None, threading.Lock()
        self._threads, self._shown, self.picture = [], None, None
        self._screen, self._words = HTML(), HTML()
        self.stop = Button(description="Stop", layout=Layout(width="auto", display="none"))
        self.stop.on_click(self._stop)
        for control in controls.values():
            if hasattr(control, "style"):
                control.style.description_width = "initial"
            control.observe(self._request, "value")
        self.button, pressed = None, []
        if button:
            self.button = Button(description=button, button_style="primary", layout=Layout(width="auto"))
            self.button.on_click(self._request)
            pressed = [self.button]
        bar = HBox([*controls.values(), *pressed], layout=Layout(flex_flow="row wrap"))
        below = HBox([self._words, self.stop, Keys()], layout=Layout(min_height="34px"))  # the picture stays in its place
        super().__init__([bar, below, self._screen])
        self.add_class("edu-explore")

    @property
    def values(self):
        """The present values of the controls, by name."""
        return {name: control.value for name, control in self._controls.items()}

    def figure(self):
        """The Picture for the present values, made from scratch; nothing is shown. Raises what `draw` raises."""
        with DRAWING:
            return last_picture(self._draw(**self.values))

    def redraw(self):
        """Draw the present values now, in this thread. Raises what `draw` raises."""
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
        thread = threading.Thread(target=self._paint, args=(number, True), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _next(self):
        with self._counting:
            self._number += 1
            return self._number

    def _stop(self, _):
        """The button "Stop" was pressed: what runs is not wanted any more."""
        self._stopped = self._next()

    def _paint(self, number, browser=False):
        """Draw request `number`, unless or until there is a newer one; say in the widget what goes wrong.

        Raises it, too. If the browser asked, nobody is there to catch it: then a ValueError, which is a mistake
        of the person at the keyboard, is only said.
        """
        with DRAWING:
            if number != self._number:
                return
            values, self._shown = self.values, None
            try:
                finished = self._show_all(self._draw(**values), number)
                self._shown = values if finished else None
                if self._number == self._stopped:
                    self._say("Stopped.")
            except BaseException as error:
                self._say(told(error), alert=True)
                if not (browser and isinstance(error, ValueError)):
                    raise

    def _show_all(self, drawn, number):
        """Show what is drawn, one after the other; return False when a newer request cut it short.

        A picture that is ready is shown even then: who drags sees something.
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
        """Put a sentence under the controls, with a progress bar if it tells how far something is."""
        colour, role = ("#a1260d", "alert") if alert else ("#5f6b76", "status")
        bar = "" if alert else progress_bar(sentence)
        self.stop.layout.display = "" if bar else "none"
        self._words.value = (f'<p role="{role}" style="color:{colour};margin:0">{html.escape(sentence)}'
                             f'{bar}</p>')

    def _repr_mimebundle_(self, **options):
        """The live widget, and beside it the plain picture for places without a kernel."""
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
    """The last Picture among what was drawn."""
    pictures = [item for item in (drawn if isgenerator(drawn) else [drawn]) if isinstance(item, Picture)]
    if not pictures:
        raise TypeError("The function of a widget must return or yield a Picture.")
    return pictures[-1]


def progress_bar(sentence):
    """The bar for a sentence such as "Step 3 of 20", which says the same to who cannot see it; or nothing."""
    found = re.search(r"(\d+) of (\d+)$", sentence)
    return ' <progress value="{}" max="{}" aria-hidden="true"></progress>'.format(*found.groups()) if found else ""


def told(error):
    """What went wrong, as one sentence."""
    if isinstance(error, KeyboardInterrupt):
        return "Stopped."
    words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return " ".join(words.split())


def fail(error):
    """Let the cell fail, with a sentence where that is enough, but show the widget, too: IPython would drop it."""
    shell = get_ipython()
    if shell is None:
        raise error
    shell.showtraceback(exception_only=isinstance(error, ValueError))


def asked_in_browser():
    """Whether this runs because of a message from the browser, not because a cell or a program asked."""
    try:
        return get_ipython().kernel.get_parent("shell")["header"]["msg_type"] == "comm_msg"
    except (AttributeError, KeyError, TypeError):  # no kernel, or one that does not say
        return False
