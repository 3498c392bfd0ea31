"""Run learners' answers, each in a process of its own with little memory and time; send back numbers, never a verdict.

grader.py starts this file in a copy of the package, see sandbox.py, and sends one job as JSON: imports, the place of the cases,
limits, and answers. For each answer one line of JSON goes back: {"id", "results"} with plain numbers, {"id", "value"} for a letter
or a number, or {"id", "fault"} with what went wrong. What an answer prints, patches or claims stays in its process; a line that
it writes itself is compared with the right numbers like any other. Windows has neither fork nor limits: there each answer
gets a process from the start, and only the time is limited.
"""

import ast
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time

from edu_diffusion import errors
from edu_diffusion.cli import audit
from edu_diffusion.errors import said

LONGEST = 4_000_000  # bytes of one reply
NUMBERS = 100_000  # in all results of one answer


def main():
    """Read the job from standard input; reply on standard output, which the answers do not get."""
    job = json.load(sys.stdin)
    channel, nothing = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    forget(job["hidden"])
    errors.TRANSLATIONS[""] = job["sentences"]  # there is no language's file in the copy
    space = imported(job["imports"], {"__name__": "__main__"})
    alone = judged_in_a_fork if job["fork"] else judged_here
    for answer in job["answers"]:
        line = alone({**job, **answer}, dict(space), channel)
        os.write(channel, json.dumps({**line, "id": answer["id"]}).encode() + b"\n")


def forget(hidden):
    """Let imports find the copy only, not the package that lies in the folder `hidden`."""
    root = os.path.realpath(os.path.dirname(hidden))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != root or "site-packages" in root]


def imported(statements, space):
    """Run the lesson's imports; one that cannot be had here is left out, and its name is then missing in the answer."""
    for statement in statements:
        try:
            exec(statement, space)
        except ImportError:
            continue
    return space


# ---------------------------------------------------------------- one answer, one process


def judged_in_a_fork(job, space, channel):
    """Return the reply of a child process; a fault where it does not send one in time."""
    load(job)  # what every answer needs is imported once, before the fork
    reading, writing = os.pipe()
    own = tempfile.mkdtemp(dir=job["folder"])
    child = os.fork()
    if child == 0:
        in_the_child(job, space, own, (channel, reading), writing)
    os.close(writing)
    try:
        return reply(received(reading, child, time.monotonic() + job["wall"]))
    finally:
        os.close(reading)
        shutil.rmtree(own, ignore_errors=True)


def in_the_child(job, space, own, others, writing):
    """Judge, send the reply and end; nothing of this process goes on afterwards."""
    leave = os._exit
    try:
        os.setsid()
        for descriptor in others:
            os.close(descriptor)
        text = json.dumps(confined(job, space, own)).encode()
        while text:
            text = text[os.write(writing, text) :]
    finally:
        leave(0)


def received(reading, child, end):
    """Return what a child process sends until it ends; at the end of its time it is killed, with all that it has started."""
    found = b""
    while len(found) <= LONGEST and (left := end - time.monotonic()) > 0:
        ready, _, _ = select.select([reading], [], [], min(left, 1))
        part = os.read(reading, 65536) if ready else b""
        found += part
        if ready and not part:
            break
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except OSError:
            continue
    os.waitpid(child, 0)
    return found


def reply(text):
    """Return a reply as a dict; one that is none, or too long, is a fault."""
    try:
        found = json.loads(text) if len(text) <= LONGEST else {}
    except (ValueError, RecursionError):
        found = {}
    if isinstance(found, dict) and found:
        return found
    return {"fault": said("it ended Python, or used more memory or time than there is.")}


def judged_here(job, space, channel):
    load(job)
    return confined(job, space, tempfile.mkdtemp(dir=job["folder"]))


# ---------------------------------------------------------------- within the limits


def confined(job, space, own):
    """Return the reply to one answer, in this process, which cannot be used for anything else afterwards."""
    machinery, cases = load(job)
    os.chdir(own)
    limit(job)
    audit.refuse(own, job["copy"], job["hidden"])
    try:
        return run(job, space, machinery, cases)
    except machinery.Fault as fault:
        return {"fault": str(fault)[:1000]}
    except BaseException as error:  # it happened outside the answer's own calls, and is its doing all the same
        return {"fault": said("it stopped with {}: {}", type(error).__name__, str(error)[:300])}


def load(job):
    """Return (the module exercises.exercise, the function that makes the cases or None)."""
    machinery = importlib.import_module("edu_diffusion.exercises.exercise")
    importlib.import_module("edu_diffusion.exercises.careful").LIMIT = job["seconds"]
    if not job["module"]:
        return machinery, None
    cases = getattr(importlib.import_module(f"edu_diffusion.exercises.{job['module']}"), job["cases"])
    other = importlib.import_module("edu_diffusion.exercises.other_cases").other_cases
    cases()  # a library may load a part of itself at the first use, which the audit hook would refuse
    return machinery, other(cases, job["seed"], job["vary"])


def limit(job):
    """Limit memory, computing time, files and processes of this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    seconds = int(2 * job["seconds"]) + 2
    room = [(resource.RLIMIT_CPU, seconds), (resource.RLIMIT_FSIZE, 10**7), (resource.RLIMIT_CORE, 0)]
    room += [(resource.RLIMIT_NPROC, 0)] if hasattr(resource, "RLIMIT_NPROC") else []
    room += [(resource.RLIMIT_AS, size() + job["memory"])] if size() else []
    for kind, most in room:
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):
            continue


def size():
    """Bytes that this process may address already, 0 where /proc does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def run(job, space, machinery, cases):
    """Return the reply: what the answer returns for the cases, or the value of a letter or number."""
    careful = importlib.import_module("edu_diffusion.exercises.careful")
    error = careful.results(lambda: cell(job["source"], space), [()])[0]
    if job["name"] not in space:
        raise careful.Fault(careful.explained(error) if error else said("there is no {} in this cell.", job["name"]))
    if cases is None:
        return {"value": spoken(space[job["name"]])}
    given, returned, found = machinery.learners(space[job["name"]], cases)
    return {"results": numbers(found, careful.Fault), "reached": gradients(given, returned)}


def cell(source, space):
    """Run the definitions of a cell one by one; return the first exception, None if there was none.

    A bare expression, such as a call that shows something, defines nothing: it is left out.
    """
    first = None
    for node in ast.parse(source).body:
        if isinstance(node, ast.Expr):
            continue
        try:
            exec(compile(ast.Module([node], []), "<answer>", "exec"), space)
        except Exception as error:
            first = first or error
    return first


def spoken(value):
    """Return a letter or a number as it is, a number of a library as a plain one, None for anything else."""
    if value is None or type(value) in (str, int, float):
        return value[:100] if isinstance(value, str) else value
    try:
        return float(value)
    except Exception:
        return None


def numbers(found, fault):
    """Return tensors as shapes and lists of plain numbers."""
    if sum(tensor.numel() for tensor in found) > NUMBERS:
        raise fault(said("it returns far too many numbers."))
    return [{"shape": list(x.shape), "complex": x.is_complex(), "numbers": x.flatten().real.tolist()} for x in found]


def gradients(given, returned):
    """Return for each result the places of the arguments to which a gradient flows back, or the sentence why there is none."""
    found = importlib.import_module("edu_diffusion.exercises.gradients")
    try:
        return [sorted(found.reached(x, own)) if hasattr(x, "requires_grad") else [] for x, own in zip(returned, given)]
    except found.Fault as fault:
        return str(fault)


if __name__ == "__main__":
    main()
