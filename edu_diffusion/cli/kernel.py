"""The kernel of the lessons: jupyter/kernels/python3/kernel.json starts it in place of the usual one. Standard library only.

Its command moves the current folder to the end of sys.path before anything is imported: a learner's modules can be imported, but
a random.py or torch.py among them neither stops the kernel nor replaces what the lessons import.
"""

import sys


def main():
    """Run the kernel; its options are on the command line."""
    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(extra_extensions=[__name__])


def load_ipython_extension(shell):
    """Let a cell that is run before the ones above it say so."""
    shell.set_custom_exc((NameError,), explain)


def explain(shell, kind, error, trace, tb_offset=None):
    """Show the traceback of a NameError, as always, and after it what may help."""
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    if error.name:
        print(
            f"{error.name} is not known yet. If a cell further up makes it, run that one first: Run > Run All Above Selected Cell.",
            file=sys.stderr,
        )
