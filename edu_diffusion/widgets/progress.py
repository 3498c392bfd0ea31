"""Generators that yield messages about their progress and return a value."""

from collections.abc import Generator, Iterable
from typing import Any

from ..errors import said
from .hints import Messages, Value

__all__ = ["all_states", "finished"]


def all_states(loop: Iterable[Value], count: int, name: str = "") -> Messages[list[Value]]:
    """A generator that runs a sampling loop to its end and returns its States; it yields a message at each step.

    loop: such as generate(...). count: the number of its steps. name: of this run, for the messages.
    """
    states = []
    for state in loop:
        states.append(state)
        done = len(states)
        yield said("{}: step {} of {}", name, done, count) if name else said("Step {} of {}", done, count)
    return states


def finished(generator: Generator[Any, Any, Value]) -> Value:
    """Run a generator to its end, drop its messages, and return its value."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value
