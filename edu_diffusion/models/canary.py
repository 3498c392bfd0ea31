"""A pickle's code, run and not run: the same file, given to four readers.

The pickle is the learner's own. All that its code may do is to create an empty file, the canary, in a folder that is deleted
afterwards; any other pickle is not opened at all.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import warnings

import torch

from ..data import pickles
from ..errors import EduError
from .checkpoint import load
from .sentences import first_line

OPEN = {pickles.Global(module, "open") for module in ("io", "_io", "builtins")}  # its module, by version of Python
FILE_NAME = re.compile(r"\w[\w-]*(\.\w+)?")  # no folder in it
REASON = re.compile(r"WeightsUnpickler error:\s*(.+?)\.?(?: Please |\n|$)")
SECONDS = 60
CODE = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"


def pickle_readers(path: str | os.PathLike) -> dict[str, str]:
    """What four readers make of a pickle: {reader: one sentence}.

    pickle.load runs in a separate process and a temporary folder; the sentence names the files that appeared there. The others
    are data.pickles, torch.load(weights_only=True) and models.load. Raises EduError for a pickle that does anything but open a
    file by its plain name, such as "canary.txt": that one is not run.
    """
    path = pathlib.Path(path).resolve()
    harmless(path)
    said = {
        "pickle.load": run(path),
        "data.pickles.verdict": pickles.verdict(path),
        "torch.load(weights_only=True)": refusal(lambda: torch.load(path, weights_only=True)),
        "models.load": refusal(lambda: load(path, "cpu")),
    }
    return {reader: sentence.replace(str(path), path.name) for reader, sentence in said.items()}


def harmless(path):
    """Raise EduError unless all that a pickle can do is to open files by plain names, so in the folder it runs in."""
    others = [name for name in pickles.imports(path) if name not in OPEN]
    texts = [code.argument for code in pickles.opcodes(path) if isinstance(code.argument, str) and code.name in pickles.TEXT]
    strange = [text for text in texts if not FILE_NAME.fullmatch(text)]
    if others or strange:
        what = f"imports {pickles.few(others)}" if others else f"holds the text {strange[0][:100]!r}"
        raise EduError(
            f"{path} {what}, so it is not run: the demonstration runs only a pickle that calls open() with a plain file name, "
            "such as 'canary.txt'."
        )


def run(path):
    """Load a pickle in a process of its own and a temporary folder; say which files appeared."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-I", "-c", CODE, str(path)], cwd=folder, capture_output=True, timeout=SECONDS)
        appeared = sorted(os.listdir(folder))
    if appeared:
        return f"opened it, and its code ran: {', '.join(appeared)} appeared."
    return "opened it; no file appeared." if not done.returncode else "could not open it; no file appeared."


def refusal(reader):
    """What a reader says when it refuses; "opened it." if it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of a pickle in another protocol than its own
            reader()
    except Exception as error:  # torch raises pickle.UnpicklingError, this package EduError
        reason = REASON.search(str(error))  # torch explains at length what else could be done
        return f"refused: {reason[1] if reason else first_line(error).rstrip('.')}."
    return "opened it."
