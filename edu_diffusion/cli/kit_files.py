"""The files of a kit that a person meets: the start scripts, and the page for the teacher."""

import html

from . import html_page

SHELL = """#!/bin/sh
# Copies edu_diffusion from this kit to your own folder, installs it without a network, and opens the lessons.
kit=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1
home=${EDU_DIFFUSION_HOME:-$HOME/edu_diffusion}
case $(uname) in Darwin) system=macos ;; *) system=linux ;; esac

if [ ! -e "$home" ]; then
    echo "Copying the lessons to $home"
    rm -rf "$home.part"
    cp -R "$kit/edu_diffusion" "$home.part" || exit 1
    if [ -x "$kit/python/$system/bin/python3" ]; then cp -R "$kit/python/$system" "$home.part/python" || exit 1; fi
    mv "$home.part" "$home" || exit 1
fi

found=
for python in "$home/python/bin/python3" pythonVERSION python3; do
    if "$python" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "VERSION")' 2>/dev/null; then found=$python; break; fi
done
if [ -z "$found" ]; then
    echo "This kit needs Python VERSION, which is not on this computer; README.html says where to get it." >&2
    exit 1
fi

[ $# -gt 0 ] || set -- lab
cd "$home" && EDU_DIFFUSION_KIT=$kit exec "$found" -m edu_diffusion "$@"
"""

BATCH = """@echo off
rem Copies edu_diffusion from this kit to your own folder, installs it without a network, and opens the lessons.
setlocal
set "KIT=%~dp0."
if not defined EDU_DIFFUSION_HOME set "EDU_DIFFUSION_HOME=%USERPROFILE%\\edu_diffusion"

if not exist "%EDU_DIFFUSION_HOME%" (
    echo Copying the lessons to %EDU_DIFFUSION_HOME%
    if exist "%EDU_DIFFUSION_HOME%.part" rmdir /s /q "%EDU_DIFFUSION_HOME%.part"
    xcopy /e /i /q "%KIT%\\edu_diffusion" "%EDU_DIFFUSION_HOME%.part" || exit /b 1
    if exist "%KIT%\\python\\windows\\python.exe" (
        xcopy /e /i /q "%KIT%\\python\\windows" "%EDU_DIFFUSION_HOME%.part\\python" || exit /b 1
    )
    move "%EDU_DIFFUSION_HOME%.part" "%EDU_DIFFUSION_HOME%" || exit /b 1
)

set "TEST=import sys; sys.exit('%%d.%%d' %% sys.version_info[:2] != 'VERSION')"
set "FOUND="
if exist "%EDU_DIFFUSION_HOME%\\python\\python.exe" set FOUND="%EDU_DIFFUSION_HOME%\\python\\python.exe"
if not defined FOUND py -VERSION -c "%TEST%" >nul 2>nul && set FOUND=py -VERSION
if not defined FOUND python -c "%TEST%" >nul 2>nul && set FOUND=python
if not defined FOUND (
    echo This kit needs Python VERSION, which is not on this computer; README.html says where to get it.
    exit /b 1
)

set "EDU_DIFFUSION_KIT=%KIT%"
cd /d "%EDU_DIFFUSION_HOME%"
if "%~1"=="" (%FOUND% -m edu_diffusion lab) else (%FOUND% -m edu_diffusion %*)
"""

TITLE = "edu_diffusion: a kit without a network"
STYLE = """
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #000; background: #fff; font: 1.1rem/1.5 sans-serif }
pre, code { background: #eee } pre { padding: .5rem }
"""
BODY = """<h1>edu_diffusion: a kit without a network</h1>
<p>For the teacher. This folder installs the lessons on a computer that has no network. It was built for Python VERSION on PLATFORMS
and has SIZE. A computer needs about 2 GB of free disk and 2 GB of free memory.</p>

<h2>The day before</h2>
<ol>
<li>Start the lessons on one of the class's computers, as below. The first start takes a few minutes.</li>
<li>In the folder <code>edu_diffusion</code> in your own folder, run
<code>python3 -m edu_diffusion doctor --class --kit FOLDER</code>, with this folder for FOLDER. It checks the kit, the lessons
and the computer, and measures how fast the computer is.</li>
</ol>

<h2>On each computer</h2>
<ul>
<li>Linux and macOS: open a terminal in this folder and type <code>sh start.sh</code></li>
<li>Windows: double-click <code>start.bat</code></li>
</ul>
<p>It copies the lessons to the folder <code>edu_diffusion</code> in the learner's own folder, installs the packages there, and
opens JupyterLab. No administrator is needed. Afterwards the kit may be removed; the learner starts again with
<code>python3 -m edu_diffusion lab</code> in that folder. For a class, <code>sh start.sh lab --school</code> refuses prompts about
weapons, alcohol and the like. To start over, delete the folder <code>edu_diffusion</code>; a learner's work is in its subfolder
<code>work</code>.</p>

<h2>Python</h2>
<p>The computer needs Python VERSION. This kit contains none: no package index offers one. Two ways:</p>
<ul>
<li>Install Python VERSION: on Windows and macOS with the installer from python.org (on Windows it needs no administrator if you
install it for yourself only), on Linux with the package manager. You may keep the installer in this kit, in
<code>python/</code>.</li>
<li>Or unpack a Python that needs no installation into the kit, so that <code>python/linux/bin/python3</code>,
<code>python/macos/bin/python3</code> or <code>python/windows/python.exe</code> is there; the start scripts copy it along. The
project python-build-standalone publishes such builds, called "install_only".</li>
</ul>

<h2>What was tried</h2>
<p>The kit for Linux was built, installed without a network and checked. Those for Windows and macOS are untried.</p>"""


def texts(version, platforms, size):
    """Return {name: text} of a kit's own files. size: bytes of the packages and the project."""
    said = {"VERSION": version, "PLATFORMS": " and ".join(platforms), "SIZE": f"{size / 1e6:,.0f} MB"}
    body = BODY
    for word, value in said.items():
        body = body.replace(word, html.escape(value))
    batch = BATCH.replace("VERSION", version).replace("\n", "\r\n")
    return {"start.sh": SHELL.replace("VERSION", version), "start.bat": batch, "README.html": html_page.frame(TITLE, STYLE, body)}
