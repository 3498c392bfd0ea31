"""A cache: what was computed once is not computed again, for the same question and the same weights."""

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from inspect import isgenerator
from typing import Any

from .hints import Messages, Module, Pipeline
from .progress import finished

__all__ = ["Cache", "networks", "version"]


class Cache:
    """Answers by their questions. An answer is used only while the weights are those with which it was computed.

    most: how much is stored. size: a function that returns the size of an answer, in the same unit; by default each
    counts 1, and `most` is the number of answers. Those not used for the longest time are dropped first; the newest is
    always stored. A change that does not show in the weights, such as the scale of an adapter, needs `forget`.
    Threads may share a cache: each gets the answer to its own question.
    """

    def __init__(self, most: int, size: Callable[[Any], int] = lambda answer: 1) -> None:
        self._most = most
        self._size = size
        self._lock = threading.Lock()  # held to look up and to store, never while an answer is computed
        self.forget()

    def forget(self) -> None:
        """Drop all answers."""
        self._answers: dict[Hashable, Any] = {}  # the one used last is at the end
        self._total = 0

    def ask(self, question: Hashable, compute: Callable[[], Any], *modules: Module) -> Messages[Any]:
        """A generator that returns the answer, and yields the messages of `compute` if that has to run.

        question: anything that can be the key of a dictionary. compute: a function without arguments that returns the
        answer, which is never None, or a generator function that yields messages and returns it. modules: those whose
        weights the answer depends on.
        """
        key = question, version(*modules)
        answer = self._find(key)
        if answer is None:
            answer = compute()
            if isgenerator(answer):
                answer = yield from answer
            self._store(key, answer)
        return answer

    def get(self, question: Hashable, compute: Callable[[], Any], *modules: Module) -> Any:
        """Return the answer, as `ask` does, without any message."""
        return finished(self.ask(question, compute, *modules))

    def get_all(self, questions: Sequence[Hashable], compute: Callable[[list], Iterable[Any]], *modules: Module) -> list:
        """Return a list of answers. compute: a function of the list of new questions that returns all their answers."""
        now = version(*modules)
        answers = {question: self._find((question, now)) for question in questions}
        new = [question for question, answer in answers.items() if answer is None]
        for question, answer in zip(new, compute(new) if new else []):
            answers[question] = answer
            self._store((question, now), answer)
        return [answers[question] for question in questions]

    def _find(self, key):
        with self._lock:
            if key in self._answers:
                self._answers[key] = self._answers.pop(key)
            return self._answers.get(key)

    def _store(self, key, answer):
        with self._lock:
            self._drop(key)  # another thread may have computed the same
            self._answers[key] = answer
            self._total += self._size(answer)
            while self._total > self._most and len(self._answers) > 1:
                self._drop(next(iter(self._answers)))

    def _drop(self, key):
        if key in self._answers:
            self._total -= self._size(self._answers.pop(key))


def version(*modules: Module) -> tuple[int, ...]:
    """Return a value that changes with a module or its weights: torch counts the in-place changes of each tensor."""
    weights = [weight for module in modules for weight in module.parameters()]
    changes = sum(0 if weight.is_inference() else weight._version for weight in weights)
    return *map(id, modules), len(weights), changes


def networks(pipe: Pipeline) -> tuple[Module, ...]:
    """Return the networks of a pipeline whose weights a generated picture depends on."""
    second = getattr(pipe, "text_encoder_2", None)  # Stable Diffusion XL's
    return pipe.text_encoder, *([] if second is None else [second]), pipe.unet, pipe.vae
