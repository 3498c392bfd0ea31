"""The verb `assign`: the learner's versions of lessons in a folder to hand out, or a course for nbgrader. Standard library only.

The copies are made as `lab` makes those in work/: a file that was changed there is never overwritten. With --nbgrader the
teacher's versions go to source/, with a configuration that lets nbgrader's stubs look like ours.
"""

import json
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

from . import languages, lessons, versions

TERMS = "terms.csv"
CONFIG = f'''"""The configuration of this course for nbgrader, written by edu_diffusion."""

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = "edu_diffusion"
c.ClearSolutions.code_stub = {{"python": "{versions.STUB}"}}
c.ClearSolutions.begin_solution_delimeter = "{versions.BEGIN.lstrip("# ")}"
c.ClearSolutions.end_solution_delimeter = "{versions.END.lstrip("# ")}"
# zip_collect takes what a course site hands out: a folder for each learner, with the notebook in it
c.FileNameCollectorPlugin.named_regexp = r".*[/\\\\](?P<student_id>[^/\\\\]+)[/\\\\](?P<file_id>[^/\\\\]+)[.]ipynb$"
c.ExecutePreprocessor.timeout = 600  # seconds of one cell: some train a model
'''


def run(args, rest=()):
    """Write the lessons and say which."""
    source = lessons.source()
    wanted = chosen(source, args.lessons)
    write = course if args.nbgrader else handed_out
    for sentence in filter(None, [*write(source, Path(args.folder), wanted), languages.told(source)]):
        print(sentence)


def chosen(source, names):
    """Return the stems of the lessons to write, all without names. Raises EduError for a name that is none."""
    known = [path.stem for path in sorted(source.glob("*.ipynb"))]
    asked = [name.removesuffix(".ipynb") for name in names]
    found = {name: [stem for stem in known if stem == name or stem.startswith(f"{name}_")] for name in asked}
    for name, stems in found.items():
        if not stems:
            raise EduError(f"there is no lesson {name}; the lessons are {', '.join(known)}")
    return [stem for stems in found.values() for stem in stems] if asked else known


def handed_out(source, folder, wanted):
    """Write the learner's versions and the glossary; return what to tell the teacher."""
    names = [*(f"{stem}.ipynb" for stem in wanted), TERMS]
    before = {name: lessons.digest_of(folder / name) for name in names}
    told = lessons.copy(source, folder, only=names)
    new = [name for name in names if lessons.digest_of(folder / name) != before[name]]
    same = len(names) - len(new) - len(told)
    written = f"{folder}: {', '.join(new)}" if new else f"{folder}: nothing new"
    return [*told, written + (f"; {same} files are there already and up to date" if same else "")]


def course(source, folder, wanted):
    """Write the teacher's versions with nbgrader's metadata, and its configuration unless there is one; return what to tell.

    A source that was changed in the course stays; a newer one is then written beside it.
    """
    record = lessons.read_record(folder)
    told = [
        lessons.place(folder, f"source/{stem}/{stem}.ipynb", graded(languages.own(source / f"{stem}.ipynb")), record)
        for stem in wanted
    ]
    lessons.write(folder / lessons.RECORD, json.dumps(record, indent=1, sort_keys=True).encode())
    config = folder / "nbgrader_config.py"
    if not config.exists():
        files.write_bytes(config, CONFIG.encode())
    commands = "; ".join(f"nbgrader {verb} {wanted[0]}" for verb in ("generate_assignment", "zip_collect", "autograde"))
    done = f"{folder}: the source of {', '.join(wanted)} and nbgrader_config.py; go on there with, for example, {commands}"
    return [*filter(None, told), done]


def graded(path):
    """Return the bytes of a lesson whose cells say to nbgrader which is an answer and which gives a point."""
    notebook = lessons.notebook_in(path.read_bytes())
    for cell in notebook["cells"]:
        if entry := versions.nbgrader(cell):
            cell["metadata"]["nbgrader"] = entry
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
