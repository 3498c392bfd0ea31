"""The one cache of the widgets: the same question with the same weights is computed once; progress; the controls."""

import threading

import pytest
import torch
from ipywidgets import Text

from edu_diffusion.widgets import controls
from edu_diffusion.widgets.cache import Cache, version
from edu_diffusion.widgets.progress import all_states, finished


class Computed:
    """A computation that counts how often it runs."""

    def __init__(self):
        self.asked = []

    def __call__(self, question):
        self.asked.append(question)
        return f"answer {len(self.asked)} to {question}"

    def plain(self, question):
        return lambda: self(question)

    def steps(self, question):
        def compute():
            yield "Step 1 of 2"
            yield "Step 2 of 2"
            return self(question)

        return compute


@pytest.fixture
def computed():
    return Computed()


@pytest.fixture
def layer():
    return torch.nn.Linear(2, 2)


def run(generator):
    """The messages of a generator, and its value."""
    messages = []
    while True:
        try:
            messages.append(next(generator))
        except StopIteration as end:
            return messages, end.value


def test_the_same_question_is_computed_once(computed, layer):
    cache = Cache(2)
    for _ in range(2):
        assert cache.get("a", computed.plain("a"), layer) == "answer 1 to a"
        assert run(cache.ask("a", computed.plain("a"), layer)) == ([], "answer 1 to a")
    assert computed.asked == ["a"]


def test_messages_come_only_while_it_is_computed(computed, layer):
    cache = Cache(2)
    assert run(cache.ask("a", computed.steps("a"), layer)) == (["Step 1 of 2", "Step 2 of 2"], "answer 1 to a")
    assert run(cache.ask("a", computed.steps("a"), layer)) == ([], "answer 1 to a")
    assert cache.get("b", computed.steps("b"), layer) == "answer 2 to b"


def test_a_computation_that_is_stopped_leaves_nothing(computed, layer):
    cache = Cache(2)
    asked = cache.ask("a", computed.steps("a"), layer)
    assert next(asked) == "Step 1 of 2"
    asked.close()
    assert run(cache.ask("a", computed.steps("a"), layer))[0] and computed.asked == ["a"]


def test_other_weights_or_another_module_are_another_question(computed, layer):
    cache, ask = Cache(9), lambda *modules: cache.get("a", computed.plain("a"), *modules)
    ask(layer)
    with torch.no_grad():
        layer.weight.add_(1)
    ask(layer)
    assert len(computed.asked) == 2
    other = torch.nn.Linear(2, 2)
    ask(other), ask(layer, other), ask()
    assert len(computed.asked) == 5
    ask(other), ask(layer, other), ask(), ask(layer)
    assert len(computed.asked) == 5


def test_weights_that_change_during_the_computation_make_its_answer_worthless(computed, layer):
    cache = Cache(2)

    def compute():
        with torch.no_grad():
            layer.bias.add_(1)
        return computed("a")

    cache.get("a", compute, layer)
    cache.get("a", computed.plain("a"), layer)
    assert len(computed.asked) == 2


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_a_step_of_training_is_another_version(layer, optimizer):
    before, learner = version(layer), optimizer(layer.parameters(), 0.1)
    layer(torch.ones(1, 2)).sum().backward()
    assert version(layer) == before, "a gradient changes no weight"
    learner.step()
    assert version(layer) != before


def test_the_least_recently_used_goes_first(computed):
    cache = Cache(2)
    for question in "aba":
        cache.get(question, computed.plain(question))
    cache.get("c", computed.plain("c"))
    assert computed.asked == ["a", "b", "c"]
    cache.get("a", computed.plain("a"))
    assert computed.asked == ["a", "b", "c"], "a was used after b"
    cache.get("b", computed.plain("b"))
    assert computed.asked == ["a", "b", "c", "b"]


def test_the_size_of_the_answers_is_limited_and_the_newest_stays(computed):
    cache = Cache(10, size=len)
    for question in ("1234", "12345", "1234"):
        cache.get(question, lambda: computed.asked.append(question) or question)
    assert computed.asked == ["1234", "12345"]
    for _ in range(2):
        cache.get("long", lambda: computed.asked.append("long") or "x" * 99)
    cache.get("1234", lambda: computed.asked.append("again") or "1234")
    assert computed.asked == ["1234", "12345", "long", "again"]


def test_what_is_forgotten_is_computed_again(computed):
    cache = Cache(2)
    cache.get("a", computed.plain("a"))
    cache.forget()
    cache.get("a", computed.plain("a"))
    assert len(computed.asked) == 2


def test_only_the_new_questions_are_computed_all_at_once(computed, layer):
    cache, together = Cache(9), []

    def compute(new):
        together.append(new)
        return [question.upper() for question in new]

    assert cache.get_all(["a", "b", "a"], compute, layer) == ["A", "B", "A"]
    assert cache.get_all(["c", "b"], compute, layer) == ["C", "B"]
    assert cache.get_all(["a", "c"], compute, layer) == ["A", "C"]
    assert together == [["a", "b"], ["c"]]
    with torch.no_grad():
        layer.weight.add_(1)
    cache.get_all(["a"], compute, layer)
    assert together[2:] == [["a"]]
    assert Cache(1).get_all(["a", "b"], compute) == ["A", "B"], "also where not all can be stored"


def test_each_thread_gets_the_answer_to_its_own_question():
    cache, got, all_there = Cache(1), {}, threading.Barrier(4)

    def compute(question):
        all_there.wait(60)  # all four are computing at the same time
        yield "Step 1 of 1"
        return question * 2

    def ask(number):
        got[number] = cache.get(number, lambda: compute(number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: number * 2 for number in range(4)}


def test_two_threads_with_one_question_are_counted_once(computed):
    cache, both_there = Cache(8, size=len), threading.Barrier(2)

    def compute():
        both_there.wait(60)
        return "1234"

    threads = [threading.Thread(target=cache.get, args=("a", compute)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.get("b", lambda: computed.asked.append("b") or "1234")
    for question in "ab":
        cache.get(question, lambda: computed.asked.append(question) or "1234")
    assert computed.asked == ["b"], "both fit"


# ---------------------------------------------------------------- progress


def test_a_loop_reports_each_step_and_returns_its_states():
    assert run(all_states(iter("ab"), 2)) == (["Step 1 of 2", "Step 2 of 2"], ["a", "b"])
    assert run(all_states(iter("a"), 1, "before")) == (["before: step 1 of 1"], ["a"])
    assert finished(all_states(iter("ab"), 2)) == ["a", "b"]


# ---------------------------------------------------------------- controls


@pytest.mark.parametrize(
    "make, value",
    [
        (lambda: controls.words("a cat", "Prompt"), "a cat"),
        (lambda: controls.whole(7, 1, 9, "Name"), 7),
        (lambda: controls.seeds(7), 7),
        (lambda: controls.number(0.5, 0, 1, 0.1, "Name"), 0.5),
        (lambda: controls.dragged(3, 1, 9, "Step"), 3),
        (lambda: controls.choice(["a", "b"], "b", "Name"), "b"),
        (lambda: controls.choice([("one", 1), ("two", 2)], 2, "Name"), 2),
        (lambda: controls.ticked(True, "Name"), True),
    ],
)
def test_every_control_has_its_value_and_a_name(make, value):
    control = make()
    assert control.value == value and control.description


def test_a_seed_stays_exact_in_a_browser():
    assert controls.seeds(10**12).value == controls.MOST_SEED < 2**53
    assert controls.seeds(0, "Seed of the noise").description == "Seed of the noise"


def test_a_step_is_announced_with_its_number():
    assert controls.dragged(3, 1, 9, "Swap at step").spoken == "{value} of {max}"
    assert controls.dragged(3, 1, 9, "Guidance").spoken == ""


def test_the_wanted_controls_are_shown():
    found = {name: Text() for name in "abc"}
    controls.reveal(found, ["a", "c"])
    assert [control.layout.display for control in found.values()] == ["", "none", ""]
    controls.reveal(found, ["b"])
    assert [control.layout.display for control in found.values()] == ["none", "", "none"]
