"""Models from the hub: from the local cache, or downloaded if the user asks; a hub that does not answer is not waited for."""

import contextlib
import pathlib
from collections.abc import Iterator

from ..errors import EduError
from .sentences import first_line
from .silence import pipeline_class, quiet

PATIENCE = 10.0  # seconds to wait for any one answer; the hub's own library waits for some of them without a limit
LIMITS = ("connect", "read", "write", "pool")


def from_hub(name, online):
    """The local folder of a hub id, downloaded first if online; pickles are never downloaded."""
    try:
        with network(online), quiet():
            return downloaded(name, online)
    except Exception as error:  # any failure of network or hub
        if not online:
            raise EduError(
                f"There is no folder {name!r} here and no such hub id in the local cache; "
                f"load({name!r}, online=True) downloads it from the hub."
            ) from error
        raise EduError(
            f"{name!r} could not be downloaded from the hub ({first_line(error)}); check the id and the network."
        ) from error


def downloaded(name, online):
    """The local folder of a hub id; in half precision where the hub has nothing else."""
    kind, how = pipeline_class(), {"local_files_only": not online, "use_safetensors": True}
    try:
        return pathlib.Path(kind.download(name, **how))
    except OSError as error:
        if "variant=None" not in str(error):
            raise
        return pathlib.Path(kind.download(name, variant="fp16", **how))


@contextlib.contextmanager
def network(online: bool) -> Iterator[None]:
    """Allow the hub library to use the network inside the block, if asked; this package sets it to offline."""
    from huggingface_hub import constants, get_session

    before, client = constants.HF_HUB_OFFLINE, get_session()
    hooks = client.event_hooks
    constants.HF_HUB_OFFLINE = before and not online
    client.event_hooks = {**hooks, "request": [*hooks["request"], limit]}
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        client.event_hooks = hooks


def limit(request):
    """Give a request a time limit, where it has none: of the connection and of every piece of the answer."""
    own = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = {name: own.get(name) or PATIENCE for name in LIMITS}
