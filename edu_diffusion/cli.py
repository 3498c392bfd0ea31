"""The command line: `python3 -m edu_diffusion VERB`, or `edu-diffusion VERB` where the package is installed.

Standard library only until a command runs; `install.ensure` then makes sure that the packages are installed.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from edu_diffusion import __version__, install
from edu_diffusion.errors import EduError
from edu_diffusion.options import compare_options, generate_options, release_options, train_options

PASSING = ("lab", "test", "judge")  # these commands pass unknown options on to another program


def main(arguments=None):
    """Run one command; return 0 for success, 1 for a failure, 2 for a usage error, 130 for Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args, rest = understand(arguments)
        warn_if_too_new(sys.version_info)
        install.ensure(arguments, test=args.verb == "test")
        return args.run(args, rest) or 0
    except EduError as error:
        print(f"edu_diffusion: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nedu_diffusion: stopped", file=sys.stderr)
        return 130


def understand(arguments):
    """Return the parsed arguments and, for the commands that pass options on, the unknown ones."""
    commands = parser()
    args, rest = commands.parse_known_args(arguments)
    if rest and args.verb not in PASSING:
        commands.error(f"{args.verb} does not know {' '.join(rest)}; its options are listed by: {args.verb} --help")
    return args, rest


def warn_if_too_new(version):
    if tuple(version[:2]) > (3, 13):
        print(f"edu_diffusion was tested with Python 3.11 to 3.13, this is {version[0]}.{version[1]}: trying anyway.",
              file=sys.stderr)


def parser():
    """Build the argument parser; each subcommand names the function that runs it."""
    top = argparse.ArgumentParser(
        prog="edu_diffusion",
        allow_abbrev=False,
        description="Learn Stable Diffusion by building it. The first start installs the packages.",
    )
    top.add_argument("--version", action="version", version=f"edu_diffusion {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, run, text, **options):
        command = verbs.add_parser(name, help=text, description=text, allow_abbrev=False, **options)
        command.set_defaults(run=run)
        return command

    lab_ = verb("lab", lab, "open the lessons in JupyterLab; further options go to JupyterLab")
    lab_.add_argument("--teacher", action="store_true", help="open notebooks/ itself, not a copy in work/")
    verb("test", test, "run all tests and all lessons; further options go to pytest")
    generate_options(verb("generate", generate, "generate an image from a prompt"))
    train_options(verb("train", train, "train a part of the model, or an adapter for it"))
    verb("judge", judge, "evaluate a model; judge --help lists the options", add_help=False)
    compare_options(verb("compare", compare, "fine-tune the model with every method (LoRA, DreamBooth, ...) and compare them"))
    release_options(verb("release", release, "retrain and replace the shipped checkpoints, for maintainers"))
    export_ = verb("export", export, "export a model as one .safetensors file with the original key names")
    export_.add_argument("model", metavar="MODEL", help="a model's name or folder, such as base")
    export_.add_argument("file", metavar="FILE", help="the file to write, such as base.safetensors")
    verb("doctor", doctor, "check the installation and suggest a fix for each problem")
    render_ = verb(
        "render", render, "run lessons and save their outputs in the notebooks, for maintainers"
    )
    render_.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 00_start (default: all)")
    return top


# ---------------------------------------------------------------- the commands

def lab(args, rest):
    from edu_diffusion import lessons
    folder = lessons.source()
    if not args.teacher:
        folder, original = install.home() / "work", folder
        for sentence in lessons.copy(original, folder):
            print(sentence)
    run_instead(lab_command(folder, rest), folder)


def lab_command(folder, rest):
    """Return the command, to be run in `folder`, that opens JupyterLab on this machine only, without its news feed.

    The first lesson is the default address, so that the printed link opens it too (--no-browser).
    """
    quiet = ["--LabApp.news_url=None",
             "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate"]
    first = ["--LabApp.default_url=/lab/tree/00_start.ipynb"] * (Path(folder) / "00_start.ipynb").is_file()
    return [sys.executable, "-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", *quiet, *first, *rest]


def lab_environment():
    """Return JupyterLab's environment; jupyter/ answers its question about the news feed, which would cover a corner."""
    environment = install.child_environment(install.clone_root()) | {"JUPYTER_PREFER_ENV_PATH": "1"}
    paths = [str(Path(__file__).parent / "jupyter"), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return environment | {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths)}


def run_instead(command, folder):
    """Replace this process, so that Ctrl-C reaches the program itself; on Windows, wait for a child process instead."""
    environment = lab_environment()
    os.chdir(folder)
    if os.name == "nt":
        sys.exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)


def test(args, rest):
    """Run the tests, then the lessons; return the worse exit code ("no tests" only if both say so)."""
    root = install.clone_root()
    if root is None or not (root / "tests").is_dir():
        raise EduError("the tests are in the repository, not in the installed package; clone it and run the tests there")
    codes = [subprocess.call(command, cwd=root, env=test_environment(root), stdin=subprocess.DEVNULL)
             for command in test_commands(root, rest)]
    return max((code for code in codes if code != 5), default=5)


def test_commands(root, rest):
    """Return the pytest commands: all tests and all lessons, or just the paths named in `rest`."""
    pytest = [sys.executable, "-m", "pytest"]
    lessons = [
        "--nbval-lax",
        "--nbval-current-env",
        "--nbval-cell-timeout=300",
        "--nbval-kernel-startup-timeout=120",
    ]
    if any(not word.startswith("-") and (root / word.split("::")[0]).exists() for word in rest):
        return [pytest + lessons + rest]
    notebooks = [pytest + lessons + ["notebooks"] + rest] if any((root / "notebooks").glob("*.ipynb")) else []
    return [pytest + ["tests"] + rest, *notebooks]


def test_environment(root):
    """Return the environment for tests: Python itself, in kernels too, refuses any connection to another machine."""
    environment = install.child_environment(root)
    blocked = str(root / "tests" / "offline")
    return environment | {
        "PYTHONPATH": os.pathsep.join([blocked, environment["PYTHONPATH"]]),
        "HF_HUB_OFFLINE": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLBACKEND": "agg",
    }


def generate(args, rest):
    from edu_diffusion import picture
    path, seconds = picture.make(args)
    print(f"{path} ({seconds:.1f} s)")


def train(args, rest):
    from edu_diffusion import training
    training.run(args)


def judge(args, rest):
    from edu_diffusion import judging
    return judging.main(rest)


def compare(args, rest):
    from edu_diffusion import comparing
    return comparing.main(args)


def release(args, rest):
    from edu_diffusion import release as releasing
    return releasing.main(args)


def export(args, rest):
    from edu_diffusion import models
    path = models.to_single_file(args.model, args.file)
    print(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")


def render(args, rest):
    from edu_diffusion import render as rendering
    return rendering.main(args)


def doctor(args, rest):
    from edu_diffusion import doctor as examination
    return examination.main()
