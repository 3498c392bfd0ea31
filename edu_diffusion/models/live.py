"""Count the bytes of all tensors that are alive: real ones, and fake ones, which have shapes but no numbers."""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


class Live(TorchDispatchMode):
    """Inside the `with` block `now` is the bytes of all tensors made there and still alive, and `peak` its maximum.

    A storage counts once, however many tensors look at it, and until the last of them is gone. What an operation
    allocates and frees by itself is not seen. flops: floating-point operations of all matrix products and convolutions.
    """

    def __init__(self, known: Iterable[torch.Tensor] = ()) -> None:
        """known: tensors that are not to be counted, such as the weights of a model."""
        super().__init__()
        self.now = self.peak = self.flops = 0
        self._seen: dict[int, Any] = {}
        for x in known:
            self._add(x.untyped_storage(), 0)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for x in tree_leaves(result):
            if isinstance(x, torch.Tensor):
                self._add(x.untyped_storage())
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result

    def _add(self, storage, size=None):
        """Count a storage that is new, and note when it will be gone."""
        key = storage._cdata
        if key in self._seen:
            return
        size = storage.nbytes() if size is None else size
        self._seen[key] = weakref.ref(storage, lambda _: self._gone(key, size))
        self.now += size
        self.peak = max(self.peak, self.now)

    def _gone(self, key, size):
        del self._seen[key]
        self.now -= size
