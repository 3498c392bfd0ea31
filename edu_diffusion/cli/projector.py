"""JupyterLab for a projector, `lab --projector`: light, with large letters and pictures. Standard library only.

Its settings are in a folder of their own: what is changed while projecting does not change the teacher's JupyterLab, nor the
other way round.
"""

import os

from edu_diffusion.data import files

FOLDER = files.PACKAGE / "jupyter" / "projector"
STYLE = "EDU_DIFFUSION_STYLE"  # the folder of the style sheet, for server.py
SETTINGS = ".projector"  # in the learners' folder, which git ignores; JupyterLab does not list the name


def options():
    """Return the option of JupyterLab that adds a style sheet; server.py says where it is."""
    return ["--LabApp.custom_css=True"]


def variables(folder):
    """Return the variables that add our defaults and keep the settings in a folder of their own. folder: the learners'."""
    paths = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])])
    return {"JUPYTER_CONFIG_PATH": paths, "JUPYTERLAB_SETTINGS_DIR": str(folder / SETTINGS), STYLE: str(FOLDER / "custom")}
