"""Simulated learners of `lab --class N`: each runs the core of a lesson at a seat of its own, all at the same time.

    python3 tests/benchmarks/classroom.py --learners 8            # lesson 00
    python3 tests/benchmarks/classroom.py --learners 4 --lesson 03_guidance

Each opens the untouched copy over the network as a browser would: a kernel through JupyterLab's address, and its cells one by one.
Prints for each learner the seconds until the first cell is done and until the core is, the number of cells that failed, and the
memory of all seats together (proportional share, so that shared libraries count once). Linux with bubblewrap only.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from edu_diffusion.cli import lessons, seats  # noqa: E402


class Run(NamedTuple):
    """What one learner had. first, core: seconds; failed: the cells that raised."""

    first: float
    core: float
    failed: list


def core(path):
    """The code cells of a lesson above "Going further"."""
    found = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if source.startswith("## Going further"):
            break
        if cell["cell_type"] == "code" and source.strip():
            found.append((cell["id"], source))
    return found


def learner(seat, port, cells, results):
    """Run the cells in a kernel at this seat, and keep the Run."""
    from websocket import create_connection

    begun = time.monotonic()
    kernel = ask(f"http://127.0.0.1:{port}/api/kernels?token={seat.password}", b"{}")["id"]
    address = f"ws://127.0.0.1:{port}/api/kernels/{kernel}/channels?token={seat.password}"
    channel, times, failed = create_connection(address, timeout=1800), [], []
    for name, source in cells:
        if execute(channel, source) == "error":
            failed.append(name)
        times.append(time.monotonic() - begun)
    channel.close()
    results[seat.number] = Run(times[0], times[-1], failed)


def ask(address, body=None):
    with urllib.request.urlopen(urllib.request.Request(address, body), timeout=600) as reply:
        return json.load(reply)


def execute(channel, source):
    """Run one cell; return "ok" or "error"."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "class", "version": "5.3"}
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
    channel.send(json.dumps(message))
    while True:
        text = channel.recv()
        if not isinstance(text, str):  # binary data of a widget
            continue
        reply = json.loads(text)
        if reply["msg_type"] == "execute_reply" and reply["parent_header"].get("msg_id") == header["msg_id"]:
            return reply["content"]["status"]


def share():
    """Gigabytes of all processes that this one has started, each page divided by the number of processes that share it."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            total += process.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 1e9


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--learners", type=int, default=8)
    options.add_argument("--lesson", default="00_start")
    args = options.parse_args()
    seats.confinement.check()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), args.learners, args.lesson)


def measure(folder, number, lesson):
    """Start the seats and the learners; print the table."""
    places = seats.assigned(folder, number)
    for seat in places:
        lessons.copy(lessons.source(), folder / seat.name)
    listening = {seat: seats.listen("127.0.0.1", 0) for seat in places}
    cells = core(folder / places[0].name / f"{lesson}.ipynb")
    root = ["--allow-root"] * (os.geteuid() == 0)
    running = [seats.start(seat, listening[seat], folder, root, number) for seat in places]
    results, most = {}, 0.0
    try:
        working = [threading.Thread(target=learner, args=(s, listening[s].getsockname()[1], cells, results)) for s in places]
        for thread in working:
            thread.start()
        while any(thread.is_alive() for thread in working):
            most = max(most, share())
            time.sleep(1)
    finally:
        for process in running:
            process.terminate()
    print(f"{number} learners, {len(cells)} cells of {lesson}, {os.cpu_count()} processor cores, {most:.1f} GB together")
    print("| seat | first cell, s | core, s | failed |\n|---|---|---|---|")
    for seat, run in sorted(results.items()):
        print(f"| {seat} | {run.first:.0f} | {run.core:.0f} | {', '.join(run.failed) or '-'} |")


if __name__ == "__main__":
    main()
