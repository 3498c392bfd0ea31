"""Ctrl-C and SIGTERM wait for the end of a training step, so that the state is saved between two steps and never within one."""

import signal
import threading
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Deferred:
    """Inside the block the two signals are only noted: `asked` tells afterwards whether one came. A second one acts at once.

    Elsewhere than in the main thread, where Python handles no signals, it does nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self.before: dict = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _note(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
