"""Run pip: it shows its own progress, logs everything, and a failure ends in one sentence. Standard library only."""

import os
import re
import subprocess
import sys
from pathlib import Path

from edu_diffusion.errors import EduError

NO_NETWORK = re.compile(
    "NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|Network is unreachable|"
    "getaddrinfo failed|Connection refused|ProxyError|Max retries exceeded|ReadTimeout|"
    "nodename nor servname|Connection reset",
    re.I,
)
NO_SPACE = re.compile("No space left|not enough space", re.I)
NO_MATCH = re.compile("No matching distribution found|Could not find a version", re.I)
# The user's pip settings are kept, except those that would install outside the environment or hide the output.
FORCED = {
    "PIP_USER": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_QUIET": "0",
    "PYTHONUTF8": "1",
    "PYTHONUNBUFFERED": "1",
}
# How we start every Python: text is UTF-8 in any locale, and a random.py in the current folder does not replace Python's own.
SAFELY = ("-X", "utf8", "-P")


def say(text):
    """Print a line on stderr, at once: stdout belongs to the command that is repeated after the installation."""
    print(text, file=sys.stderr, flush=True)


class Pip:
    """An environment's pip: writes to the terminal and to a log, and turns a failure into one message."""

    def __init__(self, python, folder, log, settings=None):
        """settings: further variables of pip's environment, see kit.settings."""
        self.python = Path(python)
        self.folder = Path(folder)
        self.log = Path(log)
        self.settings = settings or {}

    def __call__(self, what, *arguments, may_fail=False):
        """Run `pip ARGUMENTS`, announced as `what`; return success. Raises EduError unless `may_fail`."""
        say(f"Installing {what}:")
        code, warnings = self.run(arguments)
        if code and not may_fail:
            raise EduError(problem(warnings, what, self.log, offline="PIP_NO_INDEX" in self.settings))
        return code == 0

    def run(self, arguments):
        """Run pip; return its exit code, and its warnings and errors, which are also shown as they come.

        Only these pass through here: pip draws a progress bar only where its stdout is the terminal itself.
        """
        command = [str(self.python), *SAFELY, "-m", "pip", "--log", str(self.log), *arguments]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **FORCED, **self.settings},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as process:
            warnings = [shown(line) for line in process.stderr]
        return process.returncode, "".join(warnings)


def shown(line):
    """Show a line of pip's and return it."""
    say(line.rstrip("\n"))
    return line


def problem(output, what, log, offline=False):
    """Return the message for a failed pip, from its warnings and errors. offline: whether it installs from a kit."""
    if NO_SPACE.search(output):
        return f"the disk is full while installing {what}; free about 2 GB and repeat the command"
    if NO_NETWORK.search(output):
        return (
            f"no network: {what} could not be downloaded; the first start needs the internet once, "
            f"so connect and repeat the command (behind a proxy, set HTTPS_PROXY)"
        )
    if offline and NO_MATCH.search(output):
        return (
            f"the kit lacks a file for {what}; copy it again from its source, where `doctor --class --kit FOLDER` checks it, or "
            f"start with a network and without the kit (the full output is in {log})"
        )
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "no output")
    return f"installing {what} failed ({last.strip()}); the full output is in {log}"
