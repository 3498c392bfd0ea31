"""Every lesson once as on a slow laptop: AVX2 only, one thread, 4 GB. Prints minutes, the longest cell, and the peak memory.

    python3 tests/benchmarks/slow.py                       # all lessons, one after the other: more than half an hour
    python3 tests/benchmarks/slow.py 02_denoise --times 3  # as if this computer were a third as fast
    python3 tests/benchmarks/slow.py --as-is               # with all that this CPU has, for comparison

All times are CPU time of one thread, and the clock of a training is too: other programs may run meanwhile, and the table says what
an idle computer would. --out keeps the notebooks as they ended, to be read against their text, and a lesson that
is there already is not run again. Linux only: elsewhere there is no limit of memory, and no peak.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile
import time
import types

LIMITS = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ROOT = pathlib.Path(__file__).resolve().parents[2]
BEGIN = "import sys; sys.path.append({folder!r}); __import__('slow').begin({times}, {gigabytes})"
END = "__import__('slow').end()"  # a lesson may give its own variable this name
SLOWEST = 20  # seconds: cells above are listed

# ---------------------------------------------------------------- in the kernel

cells = []  # CPU seconds of every cell that has run in this kernel


def begin(times, gigabytes):
    """Limit the memory, let trainings and their pictures count CPU time, and measure each cell from the next one on."""
    import resource

    from IPython import get_ipython

    from edu_diffusion.train import loop, pace
    from edu_diffusion.widgets import live

    resource.setrlimit(resource.RLIMIT_DATA, (int(gigabytes * 1e9),) * 2)
    loop.time = pace.time = live.time = types.SimpleNamespace(monotonic=lambda: times * time.process_time())
    events, begun = get_ipython().events, []
    events.register("pre_run_cell", lambda info: begun.append(time.process_time()))
    events.register("post_run_cell", lambda result: cells.extend(time.process_time() - start for start in begun[len(cells) :]))


def end():
    """Print what was measured; the memory in kilobytes."""
    import resource

    print(json.dumps({"cells": cells, "whole": time.process_time(), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


# ---------------------------------------------------------------- around it


def measured(path, times, gigabytes, out):
    """Run one lesson; {"cells": {id: seconds}, "whole": seconds, "peak": gigabytes, "errors": {id: sentence}}."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    lesson, of = notebook.cells, nbformat.v4.new_code_cell
    folder = str(pathlib.Path(__file__).parent)
    notebook.cells = [of(BEGIN.format(folder=folder, times=times, gigabytes=gigabytes)), *lesson, of(END)]
    with tempfile.TemporaryDirectory() as empty:
        client = NotebookClient(
            notebook, timeout=None, startup_timeout=600, allow_errors=True, resources={"metadata": {"path": empty}}
        )
        client.execute()
    last = notebook.cells.pop()
    found = json.loads("".join(output["text"] for output in last.outputs if output.get("name") == "stdout"))
    code = [cell for cell in lesson if cell.cell_type == "code" and cell.source.strip()]
    result = {
        "cells": {cell.id: times * seconds for cell, seconds in zip(code, found["cells"], strict=True)},
        "whole": times * found["whole"],
        "peak": found["peak"] * 1024 / 1e9,
        "errors": {cell.id: o.evalue for cell in code for o in cell.outputs if o.output_type == "error"},
    }
    nbformat.write(notebook, out / path.name)
    (out / f"{path.stem}.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    return result


def row(name, result):
    """A line of the table."""
    longest = max(result["cells"], key=result["cells"].get)
    slow = ", ".join(f"{cell} {seconds:.0f}" for cell, seconds in result["cells"].items() if seconds > SLOWEST)
    failed = "; ".join(f"{cell}: {told}" for cell, told in result["errors"].items()) or "-"
    return (
        f"| {name} | {result['whole'] / 60:.1f} | {longest}, {result['cells'][longest]:.0f} s | {result['peak']:.1f} "
        f"| {slow or '-'} | {failed} |"
    )


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("lessons", nargs="*", help="such as 03_guidance; all if none is named")
    options.add_argument("--times", type=float, default=1, help="so many times slower than this computer")
    options.add_argument("--memory", type=float, default=4, help="gigabytes")
    options.add_argument("--as-is", action="store_true", help="do not limit the CPU to AVX2")
    options.add_argument("--out", type=pathlib.Path, help="a folder for the results")
    args = options.parse_args()
    os.environ |= {**ONE_THREAD, **({} if args.as_is else LIMITS), "JUPYTER_PREFER_ENV_PATH": "1", "MPLBACKEND": "agg"}
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory() as folder:
        run(args, args.out or pathlib.Path(folder))


def run(args, out):
    """Print the table, a row when it is ready."""
    sys.path.insert(0, str(ROOT))
    from edu_diffusion.cli import lessons, render

    out.mkdir(parents=True, exist_ok=True)
    print("| lesson | minutes | longest cell | peak, GB | cells above 20 s | failed |\n|---|---|---|---|---|---|", flush=True)
    for path in render.chosen(args.lessons, lessons.source()):
        ready = out / f"{path.stem}.json"
        result = json.loads(ready.read_text()) if ready.exists() else measured(path, args.times, args.memory, out)
        print(row(path.stem, result), flush=True)


if __name__ == "__main__":
    main()
