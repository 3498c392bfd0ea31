"""A real JupyterLab and a real Voilà on this machine, for as long as a block runs."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

from edu_diffusion.cli import test
from edu_diffusion.cli.lab import lab_command, lab_environment
from edu_diffusion.install import environment as install

HERE = "127.0.0.1"


def free_port():
    with socket.socket() as found:
        found.bind((HERE, 0))
        return found.getsockname()[1]


def environment(folder):
    """What a server is started with: nothing of this person's settings, and Python kept off the network."""
    own = {
        name: str(folder / name.lower())
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "IPYTHONDIR",
        )
    }
    quiet = {"JUPYTER_CONFIG_PATH": lab_environment()["JUPYTER_CONFIG_PATH"]}
    return test.test_environment(install.clone_root()) | own | quiet


@contextlib.contextmanager
def lab(notebooks, settings):
    """Start JupyterLab as `edu-diffusion lab` does; yields its Server."""
    port, token = free_port(), secrets.token_hex(16)
    command = [
        *lab_command(notebooks, ["--no-browser"]),
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        *as_root(),
    ]
    with started(command, notebooks, settings, port, f"/api?token={token}"):
        yield Server(port, token)


@contextlib.contextmanager
def voila(notebooks, settings):
    """Start Voilà; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "voila", str(notebooks), "--no-browser", f"--port={port}", f"--Voila.ip={HERE}"]
    with started(command, notebooks, settings, port, "/"):
        yield f"http://{HERE}:{port}/voila/render/"


def as_root():
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


@contextlib.contextmanager
def started(command, folder, settings, port, path):
    """Run a server until the block ends, with all that it started."""
    settings.mkdir(exist_ok=True)
    with open(settings / f"{port}.log", "w+") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            answer(f"http://{HERE}:{port}{path}", server, log)
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def answer(url, server, log, patience=180):
    """Wait until an address answers. Raises RuntimeError with the server's own words when it does not."""
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    log.seek(0)
    raise RuntimeError(f"the server at {url} does not answer; it says:\n{log.read()[-3000:]}")


class Server:
    """A JupyterLab. All its notebooks share one kernel, so that the base is loaded once."""

    def __init__(self, port, token):
        self.root, self.token, self.kernel = f"http://{HERE}:{port}", token, None

    def address(self, name):
        """Give a notebook the kernel; the address that opens it."""
        wanted = {"id": self.kernel} if self.kernel else {"name": "python3"}
        session = self.post("sessions", {"path": name, "name": name, "type": "notebook", "kernel": wanted})
        self.kernel = session["kernel"]["id"]
        return f"{self.root}/lab/workspaces/{name[:-6]}/tree/{name}?token={self.token}"

    def post(self, what, data):
        request = urllib.request.Request(
            f"{self.root}/api/{what}",
            json.dumps(data).encode(),
            {"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=120) as response:
            return json.load(response)
