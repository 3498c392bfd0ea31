"""`lab --class N`: seats keep their passwords, and a learner's process sees its own folder and nothing else of the computer."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from edu_diffusion.cli import confinement, lab, main, seats, server
from edu_diffusion.errors import EduError

pytestmark = pytest.mark.fault("ugly")


def possible():
    """Whether bubblewrap works here at all; asked without our own options, so that a fault in those fails the tests."""
    plain = ["bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"]
    return bool(shutil.which("bwrap")) and subprocess.run(plain, capture_output=True).returncode == 0


needs_bubblewrap = pytest.mark.skipif(not possible(), reason="bubblewrap is not here, or may not be used")

# ---------------------------------------------------------------- what a learner's process can reach

LOOK = """
import json, os, socket, subprocess
def reached(address, kind=socket.AF_INET):
    with socket.socket(kind) as it:
        it.settimeout(1)
        return it.connect_ex(address) == 0
def written(path):
    try:
        open(path, "w").close()
    except OSError:
        return False
    return True
print(json.dumps({
    "seen": [path for path in PATHS if os.path.exists(path)],
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "network": reached(("127.0.0.1", PORT)),
    "abstract": reached(b"\\0" + NAME.encode(), socket.AF_UNIX),
    "written": [path for path in TARGETS if written(path)],
    "secret": [name for name in os.environ if name == "A_SECRET"],
    "interfaces": [name for _, name in socket.if_nameindex()],
    "here": (os.getcwd(), sorted(os.listdir("."))),
}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What a process sees that looks around at a seat, while this one listens and keeps files."""
    root = tmp_path_factory.mktemp("class")
    for name in ("seat-1", "seat-2"):
        (root / name).mkdir()
    (root / "seat-1" / "mine.txt").write_text("mine")
    (root / "seat-2" / "theirs.txt").write_text("theirs")
    package = Path(server.__file__).parents[1]
    paths = [root / "seat-2" / "theirs.txt", root, Path.home() / ".bashrc", package.parent / "notebooks", package.parent / ".git"]
    paths += ["/etc/shadow", "/run/user", "/var", str(package / "__init__.py")]
    targets = ["/home/learner/new.txt", "/tmp/new.txt", str(package / "__init__.py"), "/usr/new.txt", sys.executable]
    name = f"edu-diffusion-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_UNIX) as other:
        other.bind(b"\0" + name.encode())
        other.listen()
        given = {"PATHS": list(map(str, paths)), "TARGETS": targets, "PORT": listener.getsockname()[1], "NAME": name}
        code = "\n".join(f"{key} = {value!r}" for key, value in given.items()) + LOOK
        ran = subprocess.run(
            confinement.confined([sys.executable, "-S", "-c", code], root / "seat-1"),
            env={"PATH": os.environ["PATH"], "HOME": confinement.HOME},
            capture_output=True,
            text=True,
        )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout) | {"package": str(package), "root": root}


@needs_bubblewrap
def test_a_seat_sees_the_package_and_its_own_files_only(found):
    assert found["seen"] == [f"{found['package']}/__init__.py"]
    assert found["here"] == ["/home/learner", ["mine.txt", "new.txt"]]


@needs_bubblewrap
def test_a_seat_writes_to_its_own_folder_only(found):
    assert found["written"] == ["/home/learner/new.txt", "/tmp/new.txt"]
    assert (found["root"] / "seat-1" / "new.txt").exists()


@needs_bubblewrap
def test_a_seat_sees_no_other_process_and_no_network(found):
    assert len(found["processes"]) <= 3 and max(found["processes"]) < 10
    assert found["interfaces"] == ["lo"] and not found["network"] and not found["abstract"]


def test_a_seat_gets_of_the_variables_only_what_it_needs(monkeypatch):
    monkeypatch.setenv("A_SECRET", "1")
    monkeypatch.setenv("EDU_DIFFUSION_SCHOOL", "1")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    given = seats.environment(seats.Seat(1, 8801, "word"), 5, 3)
    assert "A_SECRET" not in given and given["EDU_DIFFUSION_SCHOOL"] == "1" and given["HOME"] == "/home/learner"
    assert given["OMP_NUM_THREADS"] == "2" and given[server.SOCKET] == "5" and given["JUPYTER_TOKEN"] == "word"


# ---------------------------------------------------------------- seats


def test_seats_keep_their_passwords_and_a_damaged_file_makes_new_ones(tmp_path):
    first = seats.assigned(tmp_path, 2)
    assert len({seat.password for seat in first}) == 2 and all(len(seat.password) == 14 for seat in first)
    assert seats.assigned(tmp_path, 3)[:2] == first and seats.assigned(tmp_path, 1) == first[:1]
    assert len(seats.assigned(tmp_path, 3)) == 3 and (tmp_path / seats.RECORD).stat().st_mode & 0o077 == 0
    (tmp_path / seats.RECORD).write_text('[[1, "x"]]')
    assert seats.assigned(tmp_path, 1)[0] != first[0]


def test_the_cards_name_each_seats_address_and_password(tmp_path, capsys):
    there = [seats.Seat(1, 8801, "abcd-efgh"), seats.Seat(2, 8802, "kmnp-qrst")]
    seats.tell(there, "192.0.2.7", tmp_path)
    page, told = (tmp_path / seats.CARDS).read_text(), capsys.readouterr().out
    for seat in there:
        assert page.count(f"http://192.0.2.7:{seat.port}") == page.count(seat.password) == 1
        assert f"http://192.0.2.7:{seat.port}   password {seat.password}" in told


def test_links_that_a_learner_left_are_removed_before_we_write_there(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    seat = tmp_path / "seat-1"
    (seat / "folder").mkdir(parents=True)
    (seat / "pictures").symlink_to(outside)
    (seat / "folder" / "00_start.ipynb").symlink_to(outside / "kept.txt")
    (seat / "mine.txt").write_text("mine")
    seats.without_links(seat)
    assert sorted(path.name for path in seat.rglob("*")) == ["folder", "mine.txt"] and (outside / "kept.txt").read_text() == "kept"


def test_mistakes_get_one_sentence(monkeypatch):
    with pytest.raises(EduError, match="for how many learners"):
        seats.check(0, ())
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EduError, match="cannot be used.*--ip=ADDRESS"):
        seats.listen("127.0.0.1", taken.getsockname()[1])
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(EduError, match="needs the program bubblewrap"):
        confinement.check()
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(EduError, match="WSL"):
        confinement.check()


def test_root_and_too_many_learners_are_noticed(monkeypatch, capsys):
    monkeypatch.setattr(confinement, "check", lambda: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EduError, match="as root"):
        seats.check(1, ())
    seats.check(100_000, ["--allow-root"])
    assert "memory for about" in capsys.readouterr().out


def test_the_address_is_taken_from_the_options():
    assert seats.without_address(["--ip=192.0.2.1", "--debug"]) == (["--debug"], "192.0.2.1")
    assert seats.without_address(["--ServerApp.ip=192.0.2.1"]) == ([], "192.0.2.1")
    assert seats.without_address(["--debug"]) == (["--debug"], "")


def test_lab_class_starts_seats_and_not_our_own_jupyterlab(monkeypatch):
    handed = []
    monkeypatch.setattr(seats, "run", lambda args, rest: handed.append((args.learners, rest)))
    monkeypatch.setattr(lab, "run", lambda *given: pytest.fail("the teacher's JupyterLab was started"))
    args, rest = main.understand(["lab", "--class", "3", "--ip=192.0.2.1"])
    args.run(args, rest)
    assert handed == [(3, ["--ip=192.0.2.1"])]


# ---------------------------------------------------------------- two seats, really served


def test_a_server_that_ends_is_started_again_but_not_for_ever(monkeypatch, tmp_path, capsys):
    begun = []
    ending = type("Ending", (), {"poll": lambda self: 1, "terminate": lambda self: None, "wait": lambda self: None})

    def start(seat, *rest):
        begun.append(seat)
        return ending()

    def sleep(seconds):
        if len(begun) > seats.RESTARTS and begun.count(begun[-1]) == turns[-1]:
            raise KeyboardInterrupt
        turns.append(begun.count(begun[-1]))

    turns = [0]
    monkeypatch.setattr(seats, "start", start)
    monkeypatch.setattr(seats.time, "sleep", sleep)
    seat = seats.Seat(1, 8801, "word")
    seats.attend([seat], {seat: None}, tmp_path, ())
    told = capsys.readouterr().out
    assert len(begun) == seats.RESTARTS + 1 and "this seat stays closed" in told and "The class is over" in told


def answer(port, token):
    """The status that a server answers with, once it does."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/api/contents?token={token}")
    try:
        with urllib.request.urlopen(asked, timeout=300) as reply:
            return reply.status
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


@needs_bubblewrap
def test_each_seat_opens_with_its_own_password_only(monkeypatch, tmp_path):
    monkeypatch.setattr(seats.install, "home", lambda: tmp_path)
    places = [seats.Seat(n, 0, seats.password()) for n in (1, 2)]
    listening = {seat: seats.listen("127.0.0.1", 0) for seat in places}
    for seat in places:
        (tmp_path / seat.name).mkdir()
    running = [seats.start(seat, listening[seat], tmp_path, ["--allow-root"], 2) for seat in places]
    try:
        ports = [listening[seat].getsockname()[1] for seat in places]
        replies = [[answer(port, seat.password) for seat in places] for port in ports]
    finally:
        for process, listener in zip(running, listening.values()):
            process.terminate()
            process.wait()
            listener.close()
    assert replies == [[200, 403], [403, 200]], (tmp_path / "seat-1.log").read_text()
