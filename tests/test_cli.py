"""The command line from a user's view: options, errors, images, training runs, lessons."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import Namespace
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image

import edu_diffusion
from edu_diffusion import steps
from edu_diffusion.cli import generate, infotext, main, runs
from edu_diffusion.cli import judge as judging
from edu_diffusion.cli import lab as opening
from edu_diffusion.cli import test as testing
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

Progress = namedtuple("Progress", "step loss seconds left model")


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command in an empty folder with a tiny model of random weights; return (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)
    models = Namespace(load=lambda name, device: tiny.pipeline(seed=0 if name == "base" else 1))
    monkeypatch.setattr(edu_diffusion, "models", models, raising=False)
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    monkeypatch.setattr(environment, "home", lambda: tmp_path)

    def command(*words):
        code = main.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def pixels(path):
    return np.asarray(Image.open(path))


# ---------------------------------------------------------------- mistakes


def test_a_wrong_verb_and_a_wrong_option_are_refused(capsys):
    for words in (["paint"], ["generate", "x", "--sed", "3"], ["train", "vae", "--minute", "3"], []):
        with pytest.raises(SystemExit) as caught:
            main.main(words)
        assert caught.value.code == 2
    assert "train does not know --minute 3" in capsys.readouterr().err


def test_options_are_not_abbreviated_but_passed_on():
    args, rest = main.understand(["lab", "--teacher", "--no-browser", "--port", "8899", "--ServerApp.root_dir=é a"])
    assert args.teacher and rest == ["--no-browser", "--port", "8899", "--ServerApp.root_dir=é a"]
    assert main.understand(["test", "-k", "noise", "-x"])[1] == ["-k", "noise", "-x"]
    assert main.understand(["judge", "--model", "base"])[1] == ["--model", "base"]


def test_a_too_new_python_is_tried(capsys):
    main.warn_if_too_new((3, 13, 9))
    assert capsys.readouterr().err == ""
    main.warn_if_too_new((3, 14, 0))
    assert "3.14: trying" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--steps", 0], "steps must be 1 to 1000, not 0"),
        (["--steps", -1], "steps must be"),
        (["--steps", 1001], "steps must be"),
        (["--seed", -1], "seed must be 0 to"),
        (["--seed", 2**63], "seed must be"),
        (["--guidance", "nan"], "guidance must be 0 to 30, not nan"),
        (["--guidance", "inf"], "guidance must be"),
        (["--guidance", 31], "guidance must be"),
        (["--guidance", -1], "guidance must be"),
        (["--out", "x.jpg"], "must end in .png"),
        (["--out", "no/x.png"], "no folder no"),
        (["--scale", 0], "scale must"),
        (["--negative", "\udc80"], "invalid character"),
        (["--negative", "\0"], "null character"),
        (["--from", "no.png"], "there is no file no.png"),
    ],
)
def test_a_mistake_is_one_sentence_before_anything_is_drawn(run, words, expected):
    code, out, err = run("generate", "a cat", *words)
    assert code == 2 and expected in err and err.count("\n") == 1 and "Traceback" not in err
    assert not list(Path().glob("*.png"))


def test_no_prompt_is_a_sentence(run):
    assert "needs a prompt" in run("generate")[2]


def test_ctrl_c_is_not_a_traceback(run, monkeypatch):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "make", interrupted)
    code, _, err = run("generate", "a cat")
    assert code == 130 and "stopped" in err


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("seed, guidance, negative", [(0, 4.0, ""), (2**63 - 1, 1.0, ""), (7, 7.5, "a red dog")])
def test_the_picture_is_that_of_the_vanilla_pipeline(run, seed, guidance, negative):
    run("generate", "a cat", "--seed", seed, "--steps", 3, "--guidance", guidance, "--negative", negative)
    theirs = tiny.vanilla(
        tiny.pipeline(), "a cat", [seed], "pil", num_inference_steps=3, guidance_scale=guidance, negative_prompt=negative
    )[0]
    assert (pixels("picture.png") == np.asarray(theirs)).all()


def test_a_picture_makes_itself_again(run):
    run("generate", 'Negative prompt: "a,\n \u732b', "--seed", 5, "--steps", 3, "--guidance", 2.5, "--negative", "a dog\nSteps: 9")
    code, out, _ = run("generate", "--from", "picture.png")
    assert code == 0 and "picture-2.png" in out
    assert (pixels("picture.png") == pixels("picture-2.png")).all()
    assert infotext.read("picture.png") == infotext.read("picture-2.png")


def test_options_change_what_is_taken_from_a_picture(run):
    run("generate", "a cat", "--seed", 5, "--steps", 3)
    run("generate", "--from", "picture.png", "--seed", 6, "--out", "six.png")
    assert infotext.read("six.png") == infotext.read("picture.png") | {"seed": 6}
    assert (pixels("six.png") != pixels("picture.png")).any()


def test_enlarging_repeats_pixels_and_is_not_a_setting(run):
    run("generate", "a cat", "--steps", 2, "--out", "one.png")
    run("generate", "--from", "one.png", "--scale", 3, "--out", "three.png")
    run("generate", "--from", "three.png", "--out", "again.png")
    assert (pixels("three.png") == pixels("one.png").repeat(3, 0).repeat(3, 1)).all()
    assert (pixels("again.png") == pixels("one.png")).all()


def test_other_weights_are_noticed(run):
    run("generate", "a cat", "--steps", 2)
    code, out, _ = run("generate", "--from", "picture.png", "--model", "other", "--steps", 2)
    assert code == 0 and "will differ" in out
    assert "will differ" not in run("generate", "--from", "picture.png")[1]


def test_a_picture_of_another_model_asks_for_it_and_does_not_tell_the_folder(run):
    run("generate", "a cat", "--steps", 2, "--model", "/home/someone/secret/mine/")
    assert infotext.read("picture.png")["model"] == "mine"
    assert "say where it is with --model" in run("generate", "--from", "picture.png")[2]


def test_dropped_words_are_named(run):
    code, out, _ = run("generate", "cat " * 14 + "red dog", "--steps", 1)
    assert code == 0 and "dropped: red dog" in out
    assert "dropped" not in run("generate", "cat " * 14, "--steps", 1)[1]


def test_advice_on_both_prompts_is_printed_and_the_picture_drawn(run):
    code, out, err = run("generate", "dogg, a red dog", "--negative", "a red dog, ((cat)), fz", "--steps", 1)
    prompt, colour, syntax, negative, last = out.splitlines()
    assert '"dogg" (dog' in prompt and '"a dog on a red background"' in colour
    assert '"((cat))" is read as text' in syntax and '"fz"' in negative
    assert code == 0 and err == "" and last.startswith("picture.png") and pixels("picture.png").any()


def test_a_caption_of_the_world_is_drawn_without_a_notice(run):
    assert run("generate", "a cat on blue", "--negative", "a dog", "--steps", 1)[1].count("\n") == 1


def test_the_library_says_nothing_of_its_own_about_long_prompts(run):
    assert run("generate", "cat " * 20, "--steps", 1)[2] == ""


def test_the_text_chunk_has_the_common_layout(run):
    run("generate", "a cat", "--steps", 2, "--negative", "a dog", "--seed", 3)
    text = Image.open("picture.png").text["parameters"]
    first, second, last = text.split("\n")
    assert first == "a cat" and second == "Negative prompt: a dog"
    assert last.startswith(f"Steps: 2, Sampler: DDIM, CFG scale: {steps.GUIDANCE}, Seed: 3, Size: 32x32, Model: base, Model hash: ")


def test_another_programs_text_is_read():
    text = (
        "a cat,\n(masterpiece:1.2)\nNegative prompt: blurry,\nbad\n"
        "Steps: 28, Sampler: DPM++ 2M, CFG scale: 6.5, Seed: 17, Size: 512x768, Model hash: ab12, "
        'Model: "a, b", Lora hashes: "x: 1, y: 2", Version: v1.9'
    )
    assert infotext.parse(text) == {
        "prompt": "a cat, (masterpiece:1.2)",
        "negative": "blurry, bad",
        "steps": 28,
        "guidance": 6.5,
        "seed": 17,
        "hash": "ab12",
        "model": "a, b",
    }


@pytest.mark.parametrize(
    "text, expected", [("", "no line"), ("a cat", "no line"), ("a cat\nSteps: many, Seed: 1", "cannot be read")]
)
def test_a_text_that_says_nothing_is_a_sentence(text, expected):
    with pytest.raises(EduError, match=expected):
        infotext.parse(text)


def test_a_picture_without_text_and_a_file_that_is_no_picture(run):
    Image.new("RGB", (8, 8)).save("plain.png")
    Path("page.png").write_text("<html>")
    whole = Path("plain.png").read_bytes()
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    assert "does not say how it was generated" in run("generate", "--from", "plain.png")[2]
    assert "not a readable PNG" in run("generate", "--from", "page.png")[2]
    assert "not a readable PNG" in run("generate", "--from", "cut.png")[2]


# ---------------------------------------------------------------- trainings


@pytest.fixture
def recipes(monkeypatch):
    """Replace the real recipes by one called `toy`; it records how it was called."""
    import edu_diffusion.train

    calls = []

    def toy(run, minutes=1.0, device=None):
        calls.append((run.name, minutes, device))
        run.mkdir(parents=True, exist_ok=True)
        (run / "state").write_text("x")
        (run / "state.safetensors").write_bytes(b"")
        yield Progress(1, 0.5, 30.0, 30.0, None)
        if minutes == 9:
            raise KeyboardInterrupt
        yield Progress(2, 0.25, 60.0, 0.0, None)

    monkeypatch.setattr(edu_diffusion.train, "RECIPES", {"toy": toy})
    return calls


def test_an_unknown_recipe_lists_the_known(run, recipes):
    code, _, err = run("train", "toi")
    assert code == 2 and "there is no recipe toi; the recipes are: toy" in err


def test_a_training_runs_and_shows_its_end(run, recipes, tmp_path):
    code, out, err = run("train", "toy", "--minutes", 2, "--device", "cpu")
    assert code == 0 and recipes == [("toy", 2.0, "cpu")] and f"Done: {tmp_path / 'runs' / 'toy'}" in out
    assert "100%  step 2  loss 0.2500  0:00 left" in err


def stop():
    raise KeyboardInterrupt


def test_ctrl_c_says_how_to_go_on(run, recipes, monkeypatch):
    code, out, _ = run("train", "toy", "--minutes", 9, "--out", "here")
    assert code == 130 and 'python3 -m edu_diffusion train toy --resume --out "here"' in out
    (Path("here") / "state.safetensors").unlink()
    monkeypatch.setattr(runs, "follow", lambda reports: next(reports) and Path("here", "state.safetensors").unlink() or stop())
    code, out, _ = run("train", "toy", "--minutes", 9, "--out", "here")
    assert code == 130 and "nothing to resume" in out and "--resume" not in out


def test_resume_and_fresh(run, recipes, tmp_path):
    assert "no training run to resume" in run("train", "toy", "--resume")[2]
    run("train", "toy")
    assert "Resuming" in run("train", "toy")[1]
    assert "Resuming" in run("train", "toy", "--resume")[1]
    assert "is now in" in run("train", "toy", "--fresh")[1]
    assert (tmp_path / "runs" / "toy.1" / "state").exists() and (tmp_path / "runs" / "toy" / "state").exists()


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf"])
def test_wrong_minutes_are_a_sentence(run, recipes, minutes):
    assert "minutes must be" in run("train", "toy", "--minutes", minutes)[2]


@pytest.mark.parametrize(
    "progress, expected",
    [
        (Progress(0, None, 0.0, None, None), (0, "  step 0")),
        (Progress(7, 1.0, 1.0, 3.0, None), (0.25, "  step 7  loss 1.0000  0:03 left")),
        (Progress(7, 1.0, 1.0, float("inf"), None), (0, "  step 7  loss 1.0000")),
    ],
)
def test_progress_as_text_has_no_trouble_with_missing_numbers(progress, expected):
    assert (runs.part(progress), runs.text(progress)) == expected
    assert runs.clock(3723) == "1:02:03"


class Terminal(io.StringIO):
    def isatty(self):
        return True


REPORTS = [Progress(step, 0.5, float(step), 4.0 - step, None) for step in range(5)]


def reports():
    yield from REPORTS


def test_a_terminal_gets_one_bar_and_a_file_gets_lines():
    terminal, file = Terminal(), io.StringIO()
    assert runs.follow(reports(), terminal) is REPORTS[-1] and runs.follow(reports(), file) is REPORTS[-1]
    assert "\r" in terminal.getvalue() and terminal.getvalue().count("\n") == 1
    assert "100 %|" in terminal.getvalue() and "step 4  loss 0.5000  0:00 left" in terminal.getvalue()
    assert file.getvalue().splitlines() == ["  0%  step 0  loss 0.5000  0:04 left", "100%  step 4  loss 0.5000  0:00 left"]


def test_a_stopped_training_leaves_the_cursor_on_a_new_line():
    def stopped():
        yield REPORTS[2]
        raise KeyboardInterrupt

    terminal = Terminal()
    with pytest.raises(KeyboardInterrupt):
        runs.follow(stopped(), terminal)
    assert terminal.getvalue().endswith("\n") and "step 2" in terminal.getvalue()


def test_folders_set_aside_never_replace_each_other(tmp_path):
    for _ in range(2):
        (tmp_path / "toy").mkdir()
        runs.set_aside(tmp_path / "toy")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.1", "toy.2"]


# ---------------------------------------------------------------- judge, test, lab


def test_judge_gets_its_options_and_gives_its_exit_code(run, monkeypatch):
    got = []
    monkeypatch.setattr(judging, "main", lambda words: got.append(words) or 3)
    assert run("judge", "--model", "base", "--n", 4)[0] == 3 and got == [["--model", "base", "--n", "4"]]


@pytest.mark.parametrize(
    "codes, expected", [((0, 0), 0), ((1, 0), 1), ((0, 1), 1), ((5, 0), 0), ((0, 5), 0), ((5, 5), 5), ((1, 5), 1), ((2, 1), 2)]
)
def test_the_worse_of_the_two_test_runs_counts(run, monkeypatch, codes, expected):
    answers = list(codes)
    monkeypatch.setattr(testing, "test_commands", lambda root, rest, full: [["first"], ["second"]])
    monkeypatch.setattr(testing.subprocess, "call", lambda *command, **options: answers.pop(0))
    assert run("test")[0] == expected


def small_clone(root, test, cell, expected=None):
    """A repository with one test and one lesson, whose kernel's name no machine has."""
    (root / "tests").mkdir(parents=True)
    (root / "notebooks").mkdir()
    (root / "tests" / "test_one.py").write_text(test)
    outputs = [] if expected is None else [{"output_type": "stream", "name": "stdout", "text": [expected + "\n"]}]
    cells = [{"cell_type": "code", "id": "a", "metadata": {}, "source": cell, "outputs": outputs, "execution_count": 1}]
    kernel = {"kernelspec": {"name": "no-such-kernel", "display_name": "x", "language": "python"}}
    content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (root / "notebooks" / "00_start.ipynb").write_text(json.dumps(content))
    return root


CONNECT = "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)"


@pytest.mark.parametrize(
    "test, cell, expected",
    [("def test_one(): pass", "1 + 1", 0), (CONNECT.replace("socket.create", "def test_one(): socket.create"), CONNECT, 1)],
    ids=["good", "online"],
)
def test_the_verb_test_runs_both_without_network(tmp_path, monkeypatch, capfd, test, cell, expected):
    root = small_clone(tmp_path / "é a", test, cell)
    blocked = Path(edu_diffusion.__file__).parents[1] / "tests" / "offline"
    shutil.copytree(blocked, root / "tests" / "offline")
    monkeypatch.setattr(environment, "clone_root", lambda: root)
    if expected:  # once with worker processes, once without
        monkeypatch.setattr(testing, "parallel", list)
    assert testing.run(None, ["-q", "-p", "no:cacheprovider"]) == expected
    out = capfd.readouterr().out
    assert out.count("1 passed") == (0 if expected else 2) and out.count("1 failed") == (2 if expected else 0)
    assert out.count("the network is blocked in tests: 192.0.2.1") >= (2 if expected else 0)


def test_paths_in_the_options_replace_the_whole_suite(tmp_path):
    root = small_clone(tmp_path, "", "")
    whole, named = (testing.test_commands(root, ["-x"]), testing.test_commands(root, ["tests/test_one.py::test_a", "-x"]))
    assert [command[-2:] for command in whole] == [["tests", "-x"], ["notebooks", "-x"]]
    assert ["--nbval-lax" in command for command in whole] == [False, True]
    assert len(named) == 1 and named[0][-2:] == ["tests/test_one.py::test_a", "-x"] and "-n" not in named[0]


@pytest.mark.parametrize("cores, workers", [(1, None), (2, "2"), (64, "4"), (None, None)])
def test_one_worker_per_core_with_one_thread_each(monkeypatch, tmp_path, cores, workers):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    for command in testing.test_commands(small_clone(tmp_path, "", "1"), []):
        assert (command[command.index("-n") + 1] if "-n" in command else None) == workers
        assert testing.threads(command) == ({"OMP_NUM_THREADS": "1"} if workers else {})


def test_only_lessons_are_cut_short_and_not_when_all_of_it_is_wanted(run, monkeypatch, tmp_path):
    tests, notebooks = testing.test_commands(small_clone(tmp_path, "", "1"), [])
    assert testing.length(tests, False) == {} and testing.length(notebooks, False) == {"EDU_DIFFUSION_SECONDS": "5"}
    assert testing.length(tests, True) == testing.length(notebooks, True) == {"EDU_DIFFUSION_FULL": "1"}
    seen = []
    monkeypatch.setattr(testing, "test_commands", lambda root, rest, full: [["pytest", *rest]])
    monkeypatch.setattr(testing.subprocess, "call", lambda command, env, **more: seen.append((command, env)) or 0)
    run("test", "--full", "-x")
    assert seen[0][0] == ["pytest", "-x"] and seen[0][1]["EDU_DIFFUSION_FULL"] == "1"


def test_untouched_copies_are_shared_one_by_one_when_all_are_wanted(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    others, copies, _ = testing.test_commands(small_clone(tmp_path, "", "1"), ["-x"], full=True)
    assert others[-3:] == ["tests", "--ignore=tests/test_untouched.py", "-x"] and "loadfile" in others
    assert copies[-2:] == ["tests/test_untouched.py", "-x"] and "load" in copies and "loadfile" not in copies
    assert (Path(__file__).parent / "test_untouched.py").is_file()


def test_an_installed_package_has_no_tests_and_says_so(monkeypatch):
    monkeypatch.setattr(environment, "clone_root", lambda: None)
    with pytest.raises(EduError, match="clone it"):
        testing.run(None, [])


@pytest.mark.parametrize("teacher", [False, True])
def test_lab_opens_the_copies_or_for_a_teacher_the_lessons(run, monkeypatch, tmp_path, teacher):
    from edu_diffusion.cli import lessons

    small_clone(tmp_path, "", "1 + 1")
    opened = []
    monkeypatch.setattr(lessons, "source", lambda: tmp_path / "notebooks")
    monkeypatch.setattr(opening, "run_instead", lambda command, folder: opened.append((command, folder)))
    assert run("lab", *["--teacher"] * teacher)[0] == 0
    folder = tmp_path / ("notebooks" if teacher else "work")
    assert opened == [(opening.lab_command(folder, []), folder)] and (tmp_path / "work").exists() != teacher
    assert "--LabApp.default_url=/lab/tree/00_start.ipynb" in opened[0][0]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answer(url):
    """Return (status, body) of a page of the server, or None while it is not available yet."""
    try:
        with urllib.request.urlopen(url, timeout=10) as page:
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except OSError:
        return None


@pytest.fixture
def lab(tmp_path):
    """A real JupyterLab, started by the command `lab`; yields its address and its first output."""
    folder, port = small_clone(tmp_path / "é a", "", "1 + 1") / "notebooks", free_port()
    options = ["--no-browser", "--port", str(port), "--IdentityProvider.token=secret", "--allow-root"]
    quiet = {
        name: str(tmp_path / name)
        for name in (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_SETTINGS_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
        )
    }
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            opening.lab_command(folder, options),
            cwd=folder,
            env=os.environ | quiet,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 120
        while not answer(f"{address}/lab") and time.monotonic() < deadline and server.poll() is None:
            time.sleep(0.2)
        yield address, tmp_path / "log"
    finally:
        server.terminate()
        server.wait(30)


def test_jupyterlab_opens_the_first_lesson_on_this_machine_only_with_a_token(lab):
    address, log = lab
    assert answer(f"{address}/api/contents")[0] == 403
    status, body = answer(f"{address}/api/contents?token=secret")
    assert status == 200 and "00_start.ipynb" in body
    assert f"{address}/lab/tree/00_start.ipynb?token=" in log.read_text(), "the link that --no-browser prints"
    page = answer(f"{address}/lab?token=secret")[1]
    assert '"news": {"disabled": true}' in page, "the pop-up about news would ask the network"
    other = socket.gethostbyname(socket.gethostname())
    if not other.startswith("127."):
        assert answer(address.replace("127.0.0.1", other)) is None


def test_lab_runs_the_python_of_this_environment():
    assert opening.lab_command(Path("work"), [])[:3] == [sys.executable, "-m", "jupyterlab"]
