"""Answers that never end, exit, flood, patch or cheat: each gets a sentence, and the notebook goes on as before."""

import builtins
import math
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch

from edu_diffusion import steps
from edu_diffusion.exercises import EXERCISES, careful, limits, verdict
from edu_diffusion.exercises.exercise import Exercise, judged
from edu_diffusion.exercises.gradients import tracked
from edu_diffusion.steps import kl_to_unit, q_sample, similarity, zero_conv

pytestmark = pytest.mark.fault("ugly")


@pytest.fixture(autouse=True)
def ctrl_c():
    """Ctrl-C as in a terminal: a program that runs in the background ignores it from its start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def refused(mine, name="q_sample"):
    """Return the words with which an answer is refused: one or two sentences on one line."""
    right, words = verdict(name, mine)
    assert right is False and words.startswith("Not yet: ") and "\n" not in words and len(words) < 400
    return words


# ---------------------------------------------------------------- without end


def for_ever(x_0, eps, abar_t):
    while True:
        pass


def stubborn(x_0, eps, abar_t):
    while True:
        try:
            time.sleep(0.001)
        except BaseException:
            continue


def late(x_0, eps, abar_t):
    try:
        for_ever(x_0, eps, abar_t)
    except BaseException:
        return q_sample(x_0, eps, abar_t)


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(careful, "LIMIT", 0.3)


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("mine", [for_ever, stubborn, late])
def test_an_answer_without_end_is_stopped(soon, mine):
    assert "did not finish within 0.3 seconds; is there a loop that never ends" in refused(mine)
    assert verdict("q_sample", q_sample).right, "the next one has its own time"


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("mine", [for_ever, late])
def test_without_a_timer_of_the_system_it_is_stopped_too(soon, monkeypatch, mine):
    """As on Windows, or outside the main thread."""
    monkeypatch.setattr(limits, "has_alarm", lambda: False)
    words, running = refused(mine), threading.active_count()
    assert "did not finish" in words and "still running" not in words and running == threading.active_count()
    assert verdict("q_sample", q_sample).right


@pytest.mark.fault("silent")
def test_a_last_call_that_is_late_does_not_count(soon, monkeypatch):
    """It catches the exception that stops it, and returns the right numbers after all."""
    monkeypatch.setattr(limits, "has_alarm", lambda: False)
    calls = []

    def mine(*given):
        calls.append(given)
        return (late if len(calls) == 4 else q_sample)(*given)

    assert "did not finish" in refused(mine) and len(calls) == 4


@pytest.mark.fault("ugly")
def test_what_cannot_be_stopped_is_said(soon, monkeypatch):
    monkeypatch.setattr(limits, "has_alarm", lambda: False)
    released = threading.Event()
    words = refused(lambda x_0, eps, abar_t: released.wait())
    released.set()
    assert "Restart Kernel" in words


@pytest.mark.fault("ugly")
def test_in_another_thread(soon):
    found = []
    thread = threading.Thread(target=lambda: found.extend((verdict("q_sample", for_ever), verdict("q_sample", q_sample))))
    thread.start()
    thread.join()
    assert [right for right, _ in found] == [False, True] and "did not finish" in found[0].words


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timer")
def test_a_timer_that_was_set_goes_on():
    before = signal.setitimer(signal.ITIMER_REAL, 600)
    handler = signal.getsignal(signal.SIGALRM)
    verdict("q_sample", q_sample)
    left, again = signal.setitimer(signal.ITIMER_REAL, *before)
    assert 500 < left < 600 and again == 0 and signal.getsignal(signal.SIGALRM) is handler


# ---------------------------------------------------------------- whatever it raises


def raising(error):
    def mine(*given):
        raise error

    return mine


class Wordless(Exception):
    def __str__(self):
        raise ValueError


def endless(*given):
    return endless(*given)


def deeper(*given):
    sys.setrecursionlimit(10**5)
    return endless(*given)


@pytest.mark.fault("ugly")
@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda *given: sys.exit(0), "calls exit"),
        (lambda *given: builtins.exit(), "calls exit"),
        (lambda *given: quit(), "calls exit"),
        (lambda *given: os._exit(3), "calls exit"),
        (lambda *given: os.abort(), "calls exit"),
        (raising(KeyboardInterrupt()), "stopped with KeyboardInterrupt"),
        (raising(BaseException("base")), "BaseException: base"),
        (raising(GeneratorExit()), "GeneratorExit"),
        (raising(Wordless()), "Wordless: (an error without words)"),
        (raising(ValueError("many words " * 10**6)), "many words"),
        (raising(ValueError("one\ntwo")), "ValueError: one"),
        (endless, "calls itself without end"),
        (deeper, "calls itself without end"),
        (raising(MemoryError()), "more memory"),
        (lambda *given: torch.zeros(10**14), "RuntimeError"),
    ],
)
def test_whatever_it_raises_is_a_sentence(mine, words):
    deepest = sys.getrecursionlimit()
    assert words in refused(mine)
    assert sys.getrecursionlimit() == deepest and not sys.stdin.closed and os._exit is not None
    assert type(os._exit).__name__ == "builtin_function_or_method" and type(builtins.exit).__name__ == "Quitter"


@pytest.mark.fault("ugly")
def test_the_notebooks_own_exit_is_not_reached(monkeypatch):
    """IPython's exit does not raise: it ends the kernel after the cell."""
    ended = []
    scope = {"exit": type("Autocall", (), {"__call__": lambda self: ended.append(True)})()}
    exec("def mine(x_0, eps, abar_t):\n    exit()", scope)
    own = scope["exit"]
    assert "calls exit" in refused(scope["mine"]) and not ended and scope["exit"] is own


@pytest.mark.fault("lost")
@pytest.mark.parametrize("alarm", [True, False])
def test_the_users_own_ctrl_c_stops_the_cell(monkeypatch, alarm):
    monkeypatch.setattr(limits, "has_alarm", lambda: alarm and hasattr(signal, "setitimer"))
    handler = signal.getsignal(signal.SIGINT)

    def mine(*given):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        for_ever(*given)

    others = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        verdict("q_sample", mine)
    assert signal.getsignal(signal.SIGINT) is handler
    assert threading.active_count() == others, "a function that goes on in its thread slows down all that follows"


@pytest.mark.fault("ugly")
@pytest.mark.skipif(limits.resource is None or not limits.free_memory(), reason="only Linux limits the memory")
def test_an_answer_that_fills_the_memory_is_stopped(monkeypatch):
    """In a process of its own, with little room."""
    code = (
        "from edu_diffusion.exercises import limits, verdict\n"
        "limits.free_memory, limits.LEAST = lambda: 4, 5 * 10**8\n"
        "def mine(*given):\n"
        "    held = []\n"
        "    while True:\n"
        "        held.append(bytearray(10**7))\n"
        "print(verdict('q_sample', mine).words)\n"
        "print(len(bytearray(10**9)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout == "Not yet: it needs more memory than there is; does something grow in a loop?\n1000000000\n", ran.stderr


# ---------------------------------------------------------------- what it leaves behind


@pytest.mark.fault("ugly")
def test_megabytes_of_output_are_cut(capsys):
    def mine(x_0, eps, abar_t):
        print("x" * 10**6)
        print("y" * 10**6, file=sys.stderr)
        return q_sample(x_0, eps, abar_t)

    assert verdict("q_sample", mine).right
    told = capsys.readouterr()
    assert len(told.out) < 2200 and told.out.endswith("is left out)\n") and "yyy" in told.err and len(told.err) < 2200


def test_a_few_words_are_shown(capsys):
    verdict("q_sample", lambda x_0, eps, abar_t: print("shape", x_0.shape) or q_sample(x_0, eps, abar_t))
    assert capsys.readouterr().out == "shape torch.Size([2, 3, 4, 5])\n" * 4


def patching(place, name):
    def mine(x_0, eps, abar_t):
        setattr(place, name, lambda *given, **more: True)
        return x_0

    return mine


@pytest.mark.fault("silent")
@pytest.mark.parametrize(
    "place, name",
    [
        (torch, "allclose"),
        (torch, "equal"),
        (torch.Tensor, "tolist"),
        (torch.Tensor, "flatten"),
        (torch, "as_tensor"),
        (steps, "q_sample"),
        (steps.noise, "q_sample"),
        (torch.nn.functional, "cross_entropy"),
        (torch.Tensor, "isfinite"),
    ],
    ids=lambda x: getattr(x, "__name__", x),
)
def test_a_patched_library_does_not_help_and_is_mended(place, name):
    before = getattr(place, name)
    words = refused(patching(place, name))
    assert f".{name}; leave the libraries as they are" in words and getattr(place, name) is before
    assert name not in vars(torch.Tensor) or place is not torch.Tensor or before is vars(torch.Tensor)[name]


@pytest.mark.fault("silent")
def test_a_library_patched_in_a_cell_above_does_not_help(monkeypatch):
    monkeypatch.setattr(torch, "allclose", lambda *given, **more: True)
    monkeypatch.setattr(torch, "equal", lambda *given, **more: True)
    assert "0.123 x_0 + 0.000 eps; expected is" in refused(lambda x_0, eps, abar_t: x_0 * 0.123)


@pytest.mark.fault("silent")
def test_a_tensor_that_says_yes_to_everything():
    class Yes(torch.Tensor):
        @classmethod
        def __torch_function__(cls, *given, **more):
            return True

    assert "must return" in refused(lambda x_0, eps, abar_t: x_0.as_subclass(Yes))


def test_a_helper_on_tensors_is_no_patch():
    def mine(x_0, eps, abar_t):
        torch.Tensor.my_root = lambda self: self**0.5
        return abar_t.my_root() * x_0 + (1 - abar_t).my_root() * eps

    assert verdict("q_sample", mine).right
    del torch.Tensor.my_root


@pytest.mark.fault("silent")
def test_random_numbers_and_gradient_mode_stay_as_they_were():
    before = torch.get_rng_state()

    def mine(*given):
        torch.set_grad_enabled(False)
        return torch.rand(3)

    refused(mine)
    assert torch.equal(before, torch.get_rng_state()) and torch.is_grad_enabled()


@pytest.mark.fault("silent")
def test_the_same_tensor_returned_twice_is_no_agreement():
    """The second call writes into the first result."""
    held = torch.zeros(2, 3, 4, 5)

    def mine(x_0, eps, abar_t):
        return held.add_(torch.rand(1))

    assert "a different result each time" in refused(mine)


@pytest.mark.fault("ugly")
def test_changing_the_type_of_an_argument():
    def mine(x_0, eps, abar_t):
        x_0.data = x_0.double()
        return x_0

    assert "changes what it is given" in refused(mine)


# ---------------------------------------------------------------- what it returns


@pytest.mark.fault("wrong")
@pytest.mark.parametrize(
    "name, mine",
    [
        ("q_sample", lambda x_0, eps, abar_t: torch.sqrt(abar_t) * x_0 + torch.sqrt(1 - abar_t) * eps),
        ("predict_x0", lambda x_t, eps, abar_t: (x_t - torch.sqrt(1 - abar_t) * eps) / torch.sqrt(abar_t)),
        (
            "ddim_step",
            lambda x_t, eps, abar_t, abar_s: (  # which may be plain numbers, as in the lesson
                math.sqrt(abar_s) * (x_t - torch.sqrt(1 - torch.as_tensor(abar_t)) * eps) / math.sqrt(abar_t)
                + torch.as_tensor(1 - abar_s).sqrt() * eps
            ),
        ),
        ("q_sample", lambda x_0, eps, abar_t: __import__("math").sqrt(abar_t) * x_0 + __import__("math").sqrt(1 - abar_t) * eps),
    ],
)
def test_the_librarys_square_root_is_right(name, mine):
    assert verdict(name, mine).right


class Unequal:
    """A thing that raises something unusual when it is looked into."""

    def __len__(self):
        raise KeyError("x")

    __getitem__ = __len__


class Unasked:
    """A thing that can be called, and raises something unusual when it is asked for an attribute."""

    def __call__(self, *given):
        return 1

    def __getattr__(self, name):
        raise KeyError(name)


@pytest.mark.fault("ugly")
@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda *given: q_sample(*given).tolist(), "returns a list; it must return one tensor"),
        (lambda *given: (q_sample(*given),), "returns a tuple; it must return one tensor"),
        (lambda *given: (x for x in given), "returns a generator"),
        (lambda *given: object(), "returns an object"),
        (lambda *given: q_sample(*given).to("meta"), "must return numbers"),
        (lambda *given: q_sample(*given).numpy().astype(str), "must return numbers"),
        (lambda *given: Unequal(), "must return numbers"),
        (lambda *given: torch._to_functional_tensor(given[0]), "must return numbers"),
        pytest.param(Unasked(), "has the shape ()", id="unasked"),
        pytest.param(torch.classes, "not a function", id="torch.classes"),
        (lambda *given: q_sample(*given) * 1j, "complex"),
        (lambda *given: q_sample(*given).to(torch.complex64), "complex"),
        (lambda *given: q_sample(*given).to_sparse() * 2, "always 2 times the expected"),
        (lambda *given: q_sample(*given)[:, :, :, 0], "the result has the shape"),
        (iter([torch.zeros(2), torch.zeros(2).double(), *[torch.ones(1)] * 2]).__next__, "stopped with TypeError"),
    ],
)
def test_what_cannot_be_compared_is_a_sentence(mine, words):
    assert words in refused(mine)


@pytest.mark.fault("ugly")
def test_an_async_function_is_a_sentence():
    async def mine(*given):
        return q_sample(*given)

    assert "returns a coroutine" in refused(mine)


@pytest.mark.fault("silent")
def test_a_mask_that_rounds_is_right_and_told_so():
    right, words = verdict("blend", lambda known, drawn, mask: torch.where(mask > 0.5, drawn, known))
    assert right and words.startswith("Right: ") and "rounds the mask" in words
    assert "rounds" in verdict("blend", lambda known, drawn, mask: known.where(mask.long() == 0, drawn)).words
    assert "rounds" not in verdict("blend", lambda known, drawn, mask: known + mask * (drawn - known)).words


# ---------------------------------------------------------------- gradients

LOSSES = {
    name: EXERCISES[name].reference
    for name in ("noise_loss", "contrastive_loss", "prior_loss", "kl_to_unit", "sample_latent", "similarity", "zero_conv")
}


@pytest.mark.fault("silent")
@pytest.mark.parametrize("name", LOSSES)
def test_an_answer_that_cuts_the_gradient_is_refused(name):
    reference = LOSSES[name]
    cut = lambda *given: reference(*given).detach()
    for mine in (cut, torch.no_grad()(reference), lambda *given: cut(*given).numpy()):
        assert "no gradient flows back from them" in refused(mine, name)
    assert verdict(name, reference).right


@pytest.mark.fault("silent")
def test_a_loss_that_is_a_plain_number_is_refused():
    assert "leave out .item()" in refused(lambda *given: LOSSES["prior_loss"](*given).item(), "prior_loss")


@pytest.mark.fault("silent")
@pytest.mark.parametrize(
    "name, mine, cut",
    [
        ("prior_loss", lambda own, prior, weight: LOSSES["prior_loss"](own, prior.detach(), weight), "prior"),
        ("kl_to_unit", lambda mean, logvar: kl_to_unit(mean, logvar.detach()), "logvar"),
        ("zero_conv", lambda h, weight, bias: zero_conv(h.detach(), weight, bias), "h"),
        ("similarity", lambda a, b, scale: similarity(a, b, scale.detach()), "logit_scale"),
    ],
)
def test_a_gradient_that_is_cut_in_one_place_is_named(name, mine, cut):
    assert f"no gradient flows back to {cut};" in refused(mine, name)


@pytest.mark.fault("silent")
def test_a_step_in_place_that_breaks_the_gradient_is_named():
    def mine(mean, logvar):
        wide = logvar.exp()
        wide += mean**2
        return 0.5 * (wide - 1 - logvar).flatten(1).sum(1)

    assert "changed in place" in refused(mine, "kl_to_unit")


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_cell_without_gradients_checks_as_any_other(mode):
    with mode():
        assert all(verdict(name, reference).right for name, reference in LOSSES.items())
        assert "leave out .item()" in refused(lambda *given: LOSSES["prior_loss"](*given).item(), "prior_loss")


@pytest.mark.fault("silent")
def test_an_answer_that_switches_gradients_off_is_refused():
    def mine(*given):
        torch.set_grad_enabled(False)
        return LOSSES["prior_loss"](*given)

    assert "no gradient flows back from them" in refused(mine, "prior_loss") and torch.is_grad_enabled()


def test_where_nothing_is_trained_no_gradient_is_asked_for():
    one = Exercise("one", lambda x: x.detach() + 1, lambda: [tuple(tracked(torch.ones(2)))], (), "counted.")
    assert judged(one, lambda x: x.detach() + 1).right


@pytest.mark.fault("silent")
def test_the_default_kind_of_number_stays():
    def mine(*given):
        torch.set_default_dtype(torch.float64)
        return q_sample(*given)

    verdict("q_sample", mine)
    assert torch.get_default_dtype() == torch.float32
