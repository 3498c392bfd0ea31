"""`lab --projector`: JupyterLab really reads our defaults and style sheet, and keeps its settings apart from the teacher's."""

import json
import os
import subprocess
import sys

import pytest

from edu_diffusion.cli import lab, lessons, main, projector, server
from edu_diffusion.data import files

THEMES = "@jupyterlab/apputils-extension:themes"


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Run the verb with these options; return (command, environment) of what it would start."""
    (tmp_path / "00_start.ipynb").write_text(json.dumps({"cells": []}))
    monkeypatch.setattr(lessons, "source", lambda: tmp_path)
    monkeypatch.setattr(lab.install, "home", lambda: tmp_path)
    handed = []
    monkeypatch.setattr(lab, "run_instead", lambda command, folder: handed.append((command, lab.lab_environment())))

    def run(*words):
        for name in ("JUPYTER_CONFIG_PATH", "JUPYTERLAB_SETTINGS_DIR", projector.STYLE):
            monkeypatch.setenv(name, "")
        lab.run(*main.understand(["lab", "--teacher", *words]))
        return handed.pop()

    return run


def overrides(environment):
    """What JupyterLab's own server takes for the defaults of its settings."""
    code = (
        "import json; from jupyterlab_server.config import ConfigManager\n"
        "print(json.dumps(ConfigManager(config_dir_name='labconfig').get('default_setting_overrides')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_jupyterlab_takes_large_letters_and_a_light_theme(started):
    found = overrides(started("--projector")[1])
    assert found[THEMES]["theme"] == "JupyterLab Light"
    assert all(
        int(found[THEMES]["overrides"][name][:-2]) >= 18 for name in ("code-font-size", "content-font-size1", "ui-font-size1")
    )
    assert "@jupyterlab/apputils-extension:notification" in found, "the other defaults of the lessons stay"
    assert THEMES not in overrides(started()[1])


def test_the_settings_are_kept_apart_and_the_users_options_go_on(started, tmp_path):
    command, environment = started("--projector", "--port=1")
    assert environment["JUPYTERLAB_SETTINGS_DIR"] == str(tmp_path / "work" / ".projector") and command[-1] == "--port=1"
    assert "--LabApp.custom_css=True" in command and "--ServerApp.ip=127.0.0.1" in command
    command, environment = started("--port=1")
    assert not environment["JUPYTERLAB_SETTINGS_DIR"] and not any("custom" in word for word in command)


def test_a_users_own_configuration_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/mine")
    found = projector.variables(tmp_path)["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert found == [str(projector.FOLDER), "/mine"]


def test_the_server_offers_our_style_sheet_before_the_users(monkeypatch, tmp_path):
    class Base:
        def __init__(self):
            self.config, self.cli_config, self.static_custom_path = {}, {}, ["/mine"]

        def init_configurables(self):
            pass

    paths = []
    for style in (projector.variables(tmp_path)[projector.STYLE], ""):
        monkeypatch.setenv(projector.STYLE, style)
        app = server.guarded(Base)()
        app.init_configurables()
        paths.append(app.static_custom_path)
    assert paths == [[str(projector.FOLDER / "custom"), "/mine"], ["/mine"]]
    sheet = projector.FOLDER / "custom" / "custom.css"
    assert "img" in sheet.read_text() and files.PACKAGE in sheet.parents
