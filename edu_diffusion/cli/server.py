"""JupyterLab with a token, whatever a configuration file says: `python -m edu_diffusion.cli.server OPTIONS`. Standard library only.

Without a token every user of this machine, and every web page, could run code here. An empty one counts on the command line alone.
"""

import os
import socket
import sys

SOCKET = "EDU_DIFFUSION_SOCKET"  # the descriptor of a socket that listens already, see seats.py
PROVIDERS = ("IdentityProvider", "PasswordIdentityProvider")


def main(options):
    """Run JupyterLab until it is stopped."""
    from jupyterlab.labapp import LabApp

    LabApp.serverapp_class = guarded(LabApp.serverapp_class)
    LabApp.launch_instance(options)


def guarded(base):
    """Return the class of Jupyter's server with one more step, between reading the configuration and using it."""

    class ServerApp(base):  # the name is also that of its section in configuration files
        def init_configurables(self):
            keep_token(self.config, self.cli_config)
            if os.environ.get("EDU_DIFFUSION_STYLE"):  # see projector.py
                self.static_custom_path = [os.environ["EDU_DIFFUSION_STYLE"], *self.static_custom_path]
            super().init_configurables()

        def _bind_http_server(self):
            given = os.environ.pop(SOCKET, None)
            if given is None:
                return super()._bind_http_server()
            listener = socket.socket(fileno=int(given))
            listener.setblocking(False)  # the server must not wait in accept()
            self.http_server.add_socket(listener)

    return ServerApp


def keep_token(config, asked):
    """Remove empty tokens from a configuration, so that the server makes one; asked: what the command line says."""
    if any("token" in asked[section] for section in (*PROVIDERS, "ServerApp", "NotebookApp") if section in asked):
        return
    for section in PROVIDERS:
        if section in config and not config[section].get("token", True):
            del config[section]["token"]


if __name__ == "__main__":
    main(sys.argv[1:])
