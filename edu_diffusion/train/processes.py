"""A recipe in several processes of one thread each, which average their gradients (data parallelism): more samples per second
than one process with as many threads, which at these sizes wait for each other. Command line only: a notebook is one process.
"""

import multiprocessing
import tempfile
from pathlib import Path

import torch

from ..errors import EduError
from . import RECIPES


def several(recipe, processes, **settings):
    """Train a recipe, limited by steps=, in several processes that share each batch. A generator of Progress without models.

    Only the first process writes the run folder. All of them resume from its state after an interruption.
    """
    context, meeting = multiprocessing.get_context("spawn"), tempfile.TemporaryDirectory()
    pipe, end = context.Pipe(duplex=False)
    with meeting as folder:
        uri = (Path(folder) / "meeting").as_uri()
        children = [
            context.Process(target=child, args=(rank, processes, uri, recipe, settings, end), daemon=True)
            for rank in range(processes)
        ]
        for process in children:
            process.start()
        end.close()  # so that a failing child ends the wait for it
        try:
            yield from reports(pipe)
        finally:
            stop(children)


def reports(pipe):
    """The Progress that the first process sends, until it reports the end."""
    while True:
        try:
            progress = pipe.recv()
        except EOFError:
            raise EduError("A training process ended unexpectedly; the same call resumes from the last saved state.") from None
        if progress is None:
            return
        yield progress


def stop(children, seconds=60):
    """Wait for finished processes; terminate the others."""
    for process in children:
        process.join(seconds)
        process.terminate()


def child(rank, processes, meeting, recipe, settings, pipe):
    """One process: an equal share of every batch, made of its own scenes."""
    join(rank, processes, meeting)
    share = settings | {"batch": settings["batch"] // processes}
    for progress in RECIPES[recipe](**share, rank=rank, together=mean):
        if rank == 0:
            pipe.send(progress._replace(model=None))
    if rank == 0:
        pipe.send(None)
    torch.distributed.barrier()  # no process leaves while another still needs it


def join(rank, processes, meeting):
    """Make this process, with one thread, number `rank` of so many that meet at a file's URI."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=processes)


def mean(tensors):
    """Replace each tensor by its mean over all processes: one all-reduce of all their numbers in a row."""
    flat = torch.cat([t.flatten() for t in tensors])
    torch.distributed.all_reduce(flat)
    flat /= torch.distributed.get_world_size()
    for t, part in zip(tensors, flat.split([t.numel() for t in tensors])):
        t.copy_(part.view(t.shape))
