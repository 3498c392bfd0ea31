"""`lab --class N`: N learners work on this computer, each in the browser of a Chromebook, a tablet or any other device.

Each has a seat: an address, a password, a folder work/class/seat-1, and a JupyterLab that confinement.py keeps apart from all
others. It gets one thing from outside, the socket it listens on. Passwords and ports are kept, so that a printed card is good for
every session. Standard library only.
"""

import collections
import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from edu_diffusion.data import files, school
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment as install

from . import confinement, lab, lessons, seats_page, server

FOLDER, RECORD, CARDS = "class", "seats.json", "seats.html"
FIRST_PORT = 8801
RESTARTS = 20  # of one seat in one session
LETTERS = "abcdefghkmnpqrstuvwxyz23456789"  # none that is taken for another: no i, j, l, o, 0, 1
# no browser here, requests from other computers, and no kernel left over from a closed tab
OWN = ("--ServerApp.open_browser=False", "--ServerApp.allow_remote_access=True", "--MappingKernelManager.cull_idle_timeout=900")
GIGABYTES = 1.5  # what a learner's lesson and its JupyterLab need, see tests/benchmarks/slow.py
PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "EDU_DIFFUSION_SCHOOL", "EDU_DIFFUSION_LANGUAGE", "EDU_DIFFUSION_SECONDS")


class Seat(NamedTuple):
    """One learner's place. number: from 1 on; password: also JupyterLab's token."""

    number: int
    port: int
    password: str

    @property
    def name(self) -> str:
        """The name of the folder, and of the learner in a report."""
        return f"seat-{self.number}"


def run(args, rest=()):
    """Start a JupyterLab for each of args.learners; go on until Ctrl-C. --ip=ADDRESS among rest: in that network only."""
    school.switch(args.school)
    number = args.learners
    check(number, rest)
    rest, asked = without_address(rest)
    folder = install.home() / "work" / FOLDER
    seats = assigned(folder, number)
    for seat in seats:
        without_links(folder / seat.name)
        lessons.copy(lessons.source(), folder / seat.name)
    listening = {seat: listen(asked, seat.port) for seat in seats}
    tell(seats, asked or address(), folder)
    attend(seats, listening, folder, rest)


def check(number, rest):
    """Raise EduError where it cannot work; say so where it may be slow."""
    if number < 1:
        raise EduError("say for how many learners: `lab --class 8` for example")
    confinement.check()
    if os.geteuid() == 0 and "--allow-root" not in rest:
        raise EduError("do not run a class as root; use an ordinary account, or, where there is no other, add --allow-root")
    if number > (most := comfortable()):
        print(f"This computer has memory for about {most} learners at a time; with {number}, some may have to wait or start again.")


def comfortable():
    """How many learners fit into this computer's memory, one gigabyte left to itself."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return max(1, int((whole - 1) / GIGABYTES))


def without_links(folder):
    """Remove the links in a learner's folder: outside of the seat they could lead to any file of this computer."""
    for place, folders, names in os.walk(folder):
        for path in (Path(place) / name for name in (*folders, *names)):
            if path.is_symlink():
                path.unlink()


# ---------------------------------------------------------------- seats and their passwords


def assigned(folder, number):
    """Return the seats 1 to number, the same ones as last time, and keep them for the next."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = [Seat(*values) for values in recorded(folder / RECORD)]
        seats = known + [Seat(n, FIRST_PORT + n - 1, password()) for n in range(len(known) + 1, number + 1)]
        files.write_bytes(folder / RECORD, json.dumps(seats).encode())
        (folder / RECORD).chmod(0o600)
    except OSError as error:
        raise EduError(f"{folder} cannot be written ({error.strerror}); make it writable, or start from another folder") from error
    return seats[:number]


def recorded(path):
    """Return what the file of the seats says, nothing where there is none or it is damaged: cards are then printed again."""
    try:
        found = json.loads(path.read_bytes())
        return found if all(isinstance(n, int) and isinstance(p, int) and word for n, p, word in found) else []
    except (OSError, ValueError, TypeError):
        return []


def password():
    """Return twelve letters and digits in groups of four: about 59 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


def without_address(rest):
    """Return (the other options, the value of --ip=ADDRESS or "")."""
    asked = [option.partition("=")[2] for option in rest if lab.named(option) == "ip"]
    return [option for option in rest if lab.named(option) != "ip"], (asked or [""])[-1]


def listen(host, port):
    """Return a socket at which other devices can reach the seat; host: an address of this computer, "" for all of them.

    Raises EduError if the port is taken, or the address is another computer's.
    """
    try:
        return socket.create_server((host, port), backlog=100)
    except OSError as error:
        raise EduError(
            f"port {port}{f' at {host}' * bool(host)} cannot be used ({error.strerror}); end the program that uses it, another "
            f"class perhaps, or name an address of this computer: --ip=ADDRESS"
        ) from error


def address():
    """Return this computer's address in its network. Nothing is sent: connecting a datagram socket only chooses the way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation, RFC 5737
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


def tell(seats, host, folder):
    """Print the addresses and passwords, and write them to a page of cards to cut out."""
    files.write_bytes(folder / CARDS, seats_page.page(seats, host).encode())
    print(f"Cards to print and cut out: {folder / CARDS}\n")
    for seat in seats:
        print(f"  {seat.name:8}  http://{host}:{seat.port}   password {seat.password}")
    print(
        "\nWhoever knows a seat's address and password can work there. In a shared network others may read what is sent: use the "
        "classroom's.\nA seat sees its own folder, no other seat, nothing else of this computer, and no network. End with Ctrl-C.",
        flush=True,
    )


# ---------------------------------------------------------------- the servers


def attend(seats, listening, folder, rest):
    """Keep a server running at every seat until Ctrl-C; one that ends is started again."""
    running, ended = {}, collections.Counter()
    try:
        while True:
            for seat in seats:
                if seat in running and running[seat].poll() is None or ended[seat] > RESTARTS:
                    continue
                if seat in running:
                    ended[seat] += 1
                    print(f"{seat.name}: its JupyterLab ended, see {log(folder, seat)}; {then(ended[seat])}.", flush=True)
                if ended[seat] <= RESTARTS:
                    running[seat] = start(seat, listening[seat], folder, rest, len(seats))
            time.sleep(2)
    except KeyboardInterrupt:
        print("\nThe class is over; what the learners saved is in", folder)
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def then(times):
    return "it is started again" if times <= RESTARTS else "this seat stays closed"


def start(seat, listener, folder, rest, number):
    """Start the server of a seat apart from everything; return its process. The password is not on its command line."""
    command = lab.safely(lab.lab_command(folder / seat.name, [*OWN, *rest]))
    with log(folder, seat).open("wb") as output:
        return subprocess.Popen(
            confinement.confined(command, folder / seat.name),
            env=environment(seat, listener.fileno(), number),
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def log(folder, seat):
    """Return the file with what a server says."""
    return folder / f"{seat.name}.log"


def environment(seat, descriptor, number):
    """Return the variables of a seat: of ours only those that it needs, and its share of the processors."""
    ours = lab.lab_environment()
    passed = {name: value for name, value in ours.items() if name in PASSED or name in install.QUIET or name.startswith("JUPYTER_")}
    threads = str(max(1, (os.cpu_count() or 1) // number))
    own = {"HOME": confinement.HOME, "JUPYTER_TOKEN": seat.password, server.SOCKET: str(descriptor), "OMP_NUM_THREADS": threads}
    return {**passed, **own, "PYTHONUTF8": "1", "PYTHONPATH": str(Path(files.PACKAGE).parent)}
