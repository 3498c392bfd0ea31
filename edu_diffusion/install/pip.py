"""Run pip and reduce its output to a few readable lines. Standard library only."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from edu_diffusion.errors import EduError

INSTALL = ("install", "--progress-bar", "raw")
NO_NETWORK = re.compile(
    "NewConnectionError|NameResolutionError|name resolution|ConnectTimeout|Network is unreachable|"
    "getaddrinfo failed|Connection refused|ProxyError|Max retries exceeded|ReadTimeout|"
    "nodename nor servname|Connection reset",
    re.I,
)
# The user's pip settings are kept, except those that would install outside the environment or hide the output.
FORCED = {"PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_QUIET": "0",
          "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
NO_SPACE = re.compile("No space left|not enough space", re.I)


class Display:
    """A status line that is rewritten in a terminal; elsewhere plain lines, one per package."""

    def __init__(self, stream=None):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.start = time.monotonic()
        self.text = ""

    def say(self, text):
        """Print a permanent line."""
        self.clear()
        print(text, file=self.stream, flush=True)

    def show(self, text, stays=True):
        """Show the current step; `stays=False` marks what plain output leaves out (a percentage)."""
        if self.live:
            self.text = text
            self.tick()
        elif stays:
            self.say(f"  {text}")

    def tick(self):
        elapsed = int(time.monotonic() - self.start)
        line = f"  {elapsed // 60}:{elapsed % 60:02d}  {self.text}"
        self.stream.write("\r" + line[:79].ljust(79))
        self.stream.flush()

    def clear(self):
        if self.live:
            self.stream.write("\r" + " " * 79 + "\r")


def news(line):
    """Reduce one line of pip's output to (text, stays), or None for a line that is not worth showing."""
    line = line.strip()
    downloading = re.match(r"(?:Downloading|Using cached) (\S+?)(?:\.metadata)? \(([\d.]+ [kMG]?B)\)", line)
    if downloading and ".metadata" not in line:
        return f"{wheel_name(downloading[1])} ({downloading[2]})", True
    progress = re.match(r"Progress (\d+) of (\d+)", line)
    if progress and int(progress[2]):
        return f"{int(progress[1]) / 1e6:.0f} of {int(progress[2]) / 1e6:.0f} MB", False
    if line.startswith("Processing "):
        return wheel_name(line.split()[1].rsplit("/", 1)[-1]), True
    if line.startswith("Installing collected packages"):
        return f"unpacking {line.count(',') + 1} packages", True
    return None


def wheel_name(file):
    """Return "torch 2.13.0" for torch-2.13.0-cp311-...whl; any other name unchanged."""
    parts = file.rsplit("/", 1)[-1].replace("%2B", "+").split("-")
    return f"{parts[0]} {parts[1]}" if file.endswith(".whl") and len(parts) > 4 else file


class Pip:
    """An environment's pip: shows its progress, logs its output, turns a failure into one message."""

    def __init__(self, python, folder, log, display):
        self.python = Path(python)
        self.folder = Path(folder)
        self.log = Path(log)
        self.display = display
        self.told = set()

    def __call__(self, what, *arguments, may_fail=False):
        """Run `pip ARGUMENTS`, announced as `what`; return success. Raises EduError unless `may_fail`."""
        self.display.show(what)
        code, output = self.run([str(self.python), "-m", "pip", *arguments])
        self.display.clear()
        if code and not may_fail:
            raise EduError(problem(output, what, self.log))
        return code == 0

    def run(self, command):
        """Run a command and return its exit code and its output without the progress numbers."""
        kept = []
        with (
            open(self.log, "a", encoding="utf-8") as log,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **FORCED},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            for line in process.stdout:
                self.tell(line)
                if not line.startswith("Progress "):
                    kept.append(line)
                    log.write(line)
        return process.returncode, "".join(kept)

    def tell(self, line):
        told = news(line)
        if told and told not in self.told:
            self.told.add(told)
            self.display.show(*told)
        elif self.display.live:
            self.display.tick()


def problem(output, what, log):
    """Return the message for a failed pip."""
    if NO_SPACE.search(output):
        return f"the disk is full while installing {what}; free about 2 GB and repeat the command"
    if NO_NETWORK.search(output):
        return (f"no network: {what} could not be downloaded; the first start needs the internet once, "
                f"so connect and repeat the command (behind a proxy, set HTTPS_PROXY)")
    last = next((line for line in reversed(output.splitlines()) if line.strip()), "no output")
    return f"installing {what} failed ({last.strip()}); the full output is in {log}"
