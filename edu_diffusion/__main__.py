"""Entry point of `python3 -m edu_diffusion`; parses on any Python, so that an old one prints a clear message."""

import sys

OLDEST, NEWEST = (3, 11), (3, 13)


def version_problem(version):
    """Return the error message for a Python that is too old, else None. `version`: like sys.version_info."""
    if tuple(version[:2]) >= OLDEST:
        return None
    found = "%d.%d" % tuple(version[:2])
    return (
        "edu_diffusion needs Python 3.11 to 3.13, this is %s; install a newer Python from python.org "
        "and start again with it, for example: python3.12 -m edu_diffusion lab" % found
    )


def main():
    problem = version_problem(sys.version_info)
    if problem:
        sys.stderr.write(problem + "\n")
        return 2
    from edu_diffusion.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
