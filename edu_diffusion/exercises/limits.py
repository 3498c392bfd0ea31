"""How long and how large a learner's function may run, and whether a Ctrl-C came from the keyboard."""

import contextlib
import ctypes
import signal
import sys
import threading
import time

import torch

from ..errors import said

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

AGAIN = 0.05  # seconds after which the alarm rings again, for a function that catches everything
LEAST = 2 * 10**9  # bytes; threads that start in the meantime need room of their own


class TooLong(BaseException):
    """The time is over; its text says whether the function is still running."""


def limited(work, end):
    """Return work(), or raise TooLong at the time `end` of time.monotonic()."""
    seconds = end - time.monotonic()
    if seconds <= 0:
        raise TooLong
    result = (by_alarm if has_alarm() else by_thread)(work, seconds)
    if time.monotonic() > end:  # it caught the exception that should have stopped it
        raise TooLong
    return result


def has_alarm():
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


def by_alarm(work, seconds):
    """Let a timer of the system interrupt the main thread; another timer that was set goes on afterwards."""
    over = []

    def ring(number, frame):
        if not over:
            on_every_line(frame)
            raise TooLong

    start, tracer, handler = time.monotonic(), sys.gettrace(), signal.signal(signal.SIGALRM, ring)
    left, again = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        try:
            return work()
        finally:
            over.append(True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(tracer)
        signal.signal(signal.SIGALRM, handler or signal.SIG_DFL)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - start), 0.001), again)


def on_every_line(frame):
    """Let the next line raise TooLong once more, outside the `try` that may catch the first one."""

    def again(frame, event, argument):
        if event == "line":
            raise TooLong
        return again

    while frame and not frame.f_globals.get("__name__", "").startswith(__package__):
        frame.f_trace, frame = again, frame.f_back
    sys.settrace(lambda frame, event, argument: None)


def by_thread(work, seconds):
    """Where there is no timer, run it in a thread, and raise TooLong in that thread when the time is over."""
    found, ended = [], threading.Event()  # a join() that Ctrl-C interrupts takes the thread for ended

    def run():
        try:
            with torch.inference_mode(False), torch.enable_grad():  # each thread has its own
                found.append((work(), None))
        except BaseException as error:
            found.append((None, error))
        finally:
            ended.set()

    thread = threading.Thread(target=run, daemon=True)
    try:
        thread.start()  # Ctrl-C may come before it returns
        ended.wait(seconds)
    finally:
        interrupt(thread, ended)
    result, error = found[0] if found else (None, still_running())
    if error is not None:
        raise error
    return result


def still_running():
    return TooLong(said(" It is still running; stop it with Kernel > Restart Kernel."))


def interrupt(thread, ended, tries=20):
    """Raise TooLong in a thread that has not ended, several times if need be; compiled code does not notice."""
    while not ended.is_set() and (tries := tries - 1):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TooLong))
        ended.wait(AGAIN)


@contextlib.contextmanager
def noticing_ctrl_c():
    """Yield a list that is no longer empty once the user has pressed Ctrl-C, or Stop in the notebook."""
    pressed, before = [], signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed
        return

    def note(number, frame):
        pressed.append(True)
        return before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def within_memory():
    """On Linux, let three quarters of the free memory be the limit: too much raises MemoryError instead of ending the kernel."""
    room = free_memory() * 3 // 4
    if resource is None or not room or torch.cuda.is_available():  # CUDA reserves more than there is
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    ends = [end for end in before if end != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([size() + max(room, LEAST), *ends]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def free_memory():
    """Bytes that are free, or 0 where /proc does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return 0


def size():
    """Bytes that this process may address already."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()
