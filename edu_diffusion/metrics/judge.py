"""The judge: a small residual classifier of an object's concept, style, size and place."""

import os
import pathlib

import torch
from torch import nn

from .. import models
from ..data import files, scenes
from ..data.world import world
from ..errors import EduError

WIDTHS = (32, 64, 128, 192)


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)

    def forward(self, x):
        h = self.conv1(torch.relu(self.norm1(x)))
        return x + self.conv2(torch.relu(self.norm2(h)))


class Judge(nn.Module):
    """Images (B, 3, 64, 64) -> logits for concept, style, size and place."""

    def __init__(self) -> None:
        super().__init__()
        layers, width = [], 3
        for wider in WIDTHS:
            layers += [nn.Conv2d(width, wider, 4, stride=2, padding=1), Block(wider)]
            width = wider
        self.body = nn.Sequential(*layers, nn.GroupNorm(8, width), nn.ReLU())
        self.concept = nn.Linear(width, len(world().concepts))
        self.style = nn.Sequential(  # each sprite shows its style differently: a single linear layer cannot learn that
            nn.Linear(width, 512), nn.ReLU(), nn.Linear(512, len(scenes.ALL_STYLES))
        )
        self.size = nn.Linear(width * 16, len(scenes.SIZES))  # averaging would lose the position
        self.place = nn.Linear(width * 16, len(scenes.PLACES))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The features before the classification layers: (B, 192)."""
        return self.body(x).mean(dim=(2, 3))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        h = self.body(x)
        mean, flat = h.mean(dim=(2, 3)), h.flatten(1)
        return {
            "concept": self.concept(mean * 4),
            "style": self.style(mean * 4),
            "size": self.size(flat),
            "place": self.place(flat),
        }


def save_judge(judge: Judge, target: str | os.PathLike, card: dict | None = None) -> None:
    """Write model.safetensors (fp16) and card.json."""
    from safetensors.torch import save_file

    with files.staged(pathlib.Path(target) / "model", card) as stage:
        save_file({k: v.half().contiguous() for k, v in judge.state_dict().items()}, stage / "model.safetensors")


def load_judge(device: str | torch.device | None = None, source: str | os.PathLike = "judge") -> Judge:
    """The shipped judge, or that of a folder with its model.safetensors, in evaluation mode.

    Raises EduError when there is no such folder, or its content is not a judge of this vocabulary.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path, judge = models.path_of(source) / "model.safetensors", Judge()
    try:
        judge.load_state_dict({k: v.float() for k, v in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        raise EduError(f"{path} is not a judge of this vocabulary: name a folder that the recipe judge wrote.") from error
    return judge.eval().to(models.pick_device(device))
