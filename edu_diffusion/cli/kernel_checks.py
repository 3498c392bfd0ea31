"""The checks of `doctor` on Jupyter's kernel: a notebook starts this Python, and a cell runs. Standard library only."""

import subprocess
import sys
from pathlib import Path

from edu_diffusion.data.files import PACKAGE

from . import lab, remedies

NEEDED = ("ipykernel", "jupyter_client", "pyzmq", "tornado", "ipython")  # what a kernel needs to start


def kernel():
    """Check that a notebook would start this very Python, in JupyterLab and in other programs."""
    from jupyter_client.kernelspec import KernelSpecManager

    try:
        found = KernelSpecManager().get_kernel_spec("python3")
        command = [*found.argv, ""]
    except (KeyError, ValueError) as error:  # no such kernel, or a kernel.json that cannot be read
        return False, f"notebook kernel: {error}", f'make it again: "{sys.executable}" -m ipykernel install --sys-prefix'
    started = sys.executable if command[0] in ("python", "python3") else command[0]
    same = Path(started).absolute() == Path(sys.executable).absolute()
    return (
        same,
        f"notebook kernel: {started}",
        f"notebooks start another Python; remove the folder {found.resource_dir}, or start with: python3 -m edu_diffusion lab",
    )


def cell():
    """Start the kernel as `lab` does, and run a cell."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec_manager.kernel_dirs.insert(0, str(PACKAGE / "jupyter" / "kernels"))
    manager.start_kernel(env=lab.lab_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answer = answered(manager.blocking_client(), "import edu_diffusion")
    except (RuntimeError, TimeoutError) as error:
        return False, f"notebook cell: {error}", remedies.install_again(remedies.versions(NEEDED))
    finally:
        manager.shutdown_kernel(now=True)
    return answer["status"] == "ok", f"notebook cell: {answer.get('evalue') or 'runs'}", remedies.REPORT


def answered(client, code):
    """Run code in a kernel; return its reply."""
    try:
        client.start_channels()
        client.wait_for_ready(timeout=120)
        return client.execute_interactive(code, timeout=120, output_hook=lambda message: None)["content"]
    finally:
        client.stop_channels()
