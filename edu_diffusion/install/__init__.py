"""The first start: environment.py makes .venv and fills it, torch_build.py chooses the build of torch, pip.py runs pip."""
