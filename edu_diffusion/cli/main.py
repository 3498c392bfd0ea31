"""The command line: `python3 -m edu_diffusion VERB`, or `edu-diffusion VERB` where the package is installed.

Standard library only until a command runs; `install.ensure` then makes sure that the packages are installed.
"""

import argparse
import importlib
import os
import sys
import traceback

from edu_diffusion import __version__
from edu_diffusion.install import environment as install

from . import languages
from .options import (
    compare_options,
    convert_options,
    doctor_options,
    generate_options,
    kit_options,
    language_option,
    release_options,
    slides_options,
    train_options,
    wall_options,
)

PASSING = ("lab", "test", "judge")  # these commands pass unknown options on to another program


BUG = "this is a fault in edu_diffusion, not yours; please report it with the lines above, as CONTRIBUTING.md says"


def main(arguments=None):
    """Run one command; return 0 for success, 1 for a failure, 2 for a user's mistake, 130 for Ctrl-C, 141 for a closed pipe."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal or pipe that cannot show a letter gets its code
            stream.reconfigure(errors="backslashreplace")
    try:
        args, rest = understand(arguments)
        warn_if_too_new(sys.version_info)
        install.ensure(arguments, test=args.verb == "test")
        os.environ.update({**install.QUIET, **os.environ})
        languages.switch(getattr(args, "language", None))
        return args.run(args, rest) or 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nobody listens any more: end without a word
        return 141
    except KeyboardInterrupt:
        print("\nedu_diffusion: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        return explained(error)


def explained(error):
    """Print an exception as one sentence and return 2; one that nobody foresaw with its traceback, and return 1."""
    sentence = in_words(error)
    if sentence is None:
        traceback.print_exception(error)
        print(f"edu_diffusion: {BUG}", file=sys.stderr)
        return 1
    print(f"edu_diffusion: {sentence}", file=sys.stderr)
    return 2


def in_words(error):
    """The sentence for an exception that has one: our own, the operating system's, a damaged weight file; None for others."""
    if type(error).__module__.startswith("edu_diffusion."):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; make the place writable, free some space, or name another one"
    if type(error).__name__ == "SafetensorError":
        return f"a weight file is damaged ({error}); python3 -m edu_diffusion doctor says which"
    return None


def understand(arguments):
    """Return the parsed arguments and, for the commands that pass options on, the unknown ones."""
    commands = parser()
    args, rest = commands.parse_known_args(arguments)
    if rest and args.verb not in PASSING:
        commands.error(f"{args.verb} does not know {' '.join(rest)}; its options are listed by: {args.verb} --help")
    return args, rest


def warn_if_too_new(version):
    if tuple(version[:2]) > (3, 13):
        print(
            f"edu_diffusion was tested with Python 3.11 to 3.13, this is {version[0]}.{version[1]}: trying anyway.", file=sys.stderr
        )


def parser():
    """Build the argument parser; each subcommand names the function that runs it."""
    top = argparse.ArgumentParser(
        prog="edu_diffusion",
        allow_abbrev=False,
        description="Learn Stable Diffusion by building it. The first start installs the packages.",
    )
    top.add_argument("--version", action="version", version=f"edu_diffusion {__version__}")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name, text, **options):
        added = verbs.add_parser(name, help=text, description=text, allow_abbrev=False, **options)
        added.set_defaults(run=command(name))
        return added

    lab_ = verb("lab", "open the lessons in JupyterLab; further options go to JupyterLab")
    lab_.add_argument("--teacher", action="store_true", help="open notebooks/ itself, not a copy in work/")
    lab_.add_argument("--projector", action="store_true", help="large letters and pictures, with settings of their own")
    lab_.add_argument("--class", dest="learners", type=int, metavar="N", help="serve N learners, each apart from all others")
    lab_.set_defaults(run=lambda args, rest: command("lab" if args.learners is None else "seats")(args, rest))
    lab_.add_argument("--school", action="store_true", help="for a class: refuse prompts with a word of datasets/emoji/school.csv")
    verb("test", "run all tests and all lessons; further options go to pytest")
    generate_options(verb("generate", "generate an image from a prompt"))
    train_options(verb("train", "train a part of the model, or an adapter for it"))
    verb("judge", "evaluate a model; judge --help lists the options", add_help=False)
    compare_options(verb("compare", "fine-tune the model with every method (LoRA, DreamBooth, ...) and compare them"))
    release_options(verb("release", "retrain and replace the shipped checkpoints, for maintainers"))
    convert_options(verb("convert", "convert a model between a folder and one .safetensors file, in full or in half precision"))
    export_ = verb("export", "export a model as one .safetensors file with the original key names")
    export_.add_argument("model", metavar="MODEL", help="a model's name or folder, such as base")
    export_.add_argument("file", metavar="FILE", help="the file to write, such as base.safetensors")
    concepts_ = verb("concepts", "write the concept test, twelve questions, as a page to print")
    concepts_.add_argument("--paper", metavar="FILE", default="concepts.html", help="the file to write (default: concepts.html)")
    worksheet_ = verb("worksheet", "write the questions of a lesson as a page to print")
    worksheet_.add_argument("lesson", metavar="LESSON", help="such as 01_noise")
    worksheet_.add_argument("--out", metavar="FILE", help="the file to write (default: the lesson's name with .html)")
    slides_options(verb("slides", "write a lesson as slides for a projector, one HTML file that needs no network"))
    doctor_options(verb("doctor", "check the installation and suggest a fix for each problem"))
    kit_options(verb("kit", "build a folder that installs the lessons on computers without a network"))
    wall_options(verb("wall", "collect a class's pictures, each approved by the teacher, on one page to show"))
    assign_ = verb("assign", "for teachers: write the learner's versions of lessons to a folder, to hand out")
    assign_.add_argument("folder", metavar="DIR", help="the folder to write to; files that were changed there stay")
    assign_.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 01_noise, or 01 (default: all)")
    assign_.add_argument("--nbgrader", action="store_true", help="write the teacher's versions as a course for nbgrader instead")
    report_ = verb("report", "for teachers: judge a class's answers, and write a page with the hints and files with the marks")
    report_.add_argument("folder", metavar="DIR", help="with one folder, or one notebook, for each pseudonym")
    render_ = verb("render", "run lessons and save their outputs in the notebooks, for maintainers")
    render_.add_argument("lessons", nargs="*", metavar="LESSON", help="such as 00_start (default: all)")
    for speaking in (lab_, concepts_, worksheet_, assign_, report_, render_):
        language_option(speaking)
    return top


def command(name):
    """The function run(args, rest) of a verb, whose file is imported when it runs: most need the heavy libraries."""

    def run(args, rest):
        return importlib.import_module(f".{name}", __package__).run(args, rest)

    return run
