"""One HTML file with everything inside: the frame of the pages that the commands write, and what they may replace."""

import base64
import hashlib
import html
from pathlib import Path

from edu_diffusion.data import files
from edu_diffusion.errors import EduError

OURS = '<meta name="generator" content="edu_diffusion">'
ALLOWED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # the page cannot load, send or run anything


def frame(title, style, body, script="", language="en"):
    """Return the page with this body. script: the only JavaScript that a browser runs in it. language: of its text, a code."""
    may_run = f"; script-src 'sha256-{digest(script)}'" if script else ""
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n{OURS}\n<title>{html.escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<meta name="referrer" content="no-referrer">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{ALLOWED}{may_run}">\n<style>{style}</style>\n</head>\n'
        f"<body>\n{body}\n{f'<script>{script}</script>' * bool(script)}</body>\n</html>\n"
    )


def digest(script):
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def write(path, page):
    """Write a page. Raises EduError where that is not possible, or would replace a file that is no page of ours."""
    path = Path(path)
    if path.is_dir():
        raise EduError(f"{path} is a folder; name the file to write, such as {path / 'page.html'}")
    if path.exists() and not is_ours(path):
        raise EduError(
            f"{path} is not replaced, because edu_diffusion did not write it: choose another name, or move it away first"
        )
    try:
        files.write_bytes(path, page.encode())
    except OSError as error:
        raise EduError(f"{path} cannot be written ({error.strerror or error}); choose another place") from error


def is_ours(path):
    """Whether a file begins as our pages do."""
    with open(path, "rb") as file:
        return OURS.encode() in file.read(200)
