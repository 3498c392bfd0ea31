"""A drawing surface: strokes over a picture, with mouse, finger or keyboard, available as tensors.

The browser draws (pad.js) and sends one byte for each pixel after every stroke; it does nothing else.
"""

import pathlib
import re
from collections.abc import Mapping

from anywidget import AnyWidget
from traitlets import CBytes, Float, Int, List, Unicode, validate

from ..data import pixels
from ..errors import EduError
from ..figures import Picture, row
from .hints import Tensor

__all__ = ["Pad"]

INKS = {"orange": "#e69f00"}


class Pad(AnyWidget):
    """Draw on size x size pixels, enlarged; `mask` tells where something is drawn, `image` is the result.

    background: a picture, (3, size, size) or (1, 3, size, size) in [0, 1], or None for white. colours:
    {name: "#rrggbb"}, the first one is selected at first. brush: its width in pixels. opacity: of the strokes, on
    the screen only: below 1 the picture is visible under a mask. label: the accessible name of the surface.
    """

    _esm = pathlib.Path(__file__).with_suffix(".js")
    size = Int(64).tag(sync=True)
    background = CBytes().tag(sync=True)  # RGB, row by row; empty: white
    drawn = CBytes().tag(sync=True)  # for each pixel 0, or the number of its colour, from 1
    colours = List(Unicode()).tag(sync=True)
    names = List(Unicode()).tag(sync=True)
    brush = Int(6).tag(sync=True)
    opacity = Float(1.0).tag(sync=True)
    label = Unicode().tag(sync=True)

    def __init__(
        self,
        background: Tensor | None = None,
        size: int = 64,
        colours: Mapping[str, str] | None = None,
        brush: int = 6,
        opacity: float = 1.0,
        label: str = "Drawing surface",
    ) -> None:
        inks = colours or INKS
        wrong = [c for c in inks.values() if not re.fullmatch("#[0-9a-fA-F]{6}", c)]
        if wrong or len(inks) > 255:
            raise EduError(f'colours are {inks}; each must be written as "#rrggbb", and there may be at most 255.')
        super().__init__(
            size=size,
            drawn=bytes(size * size),
            colours=list(inks.values()),
            names=list(inks),
            brush=brush,
            background=b"" if background is None else pixels.image_bytes(background, size),
            opacity=opacity,
            label=label,
        )

    @property
    def mask(self) -> Tensor:
        """(1, 1, size, size), float: 1 where something is drawn. Setting it draws in colour 1 where it is 1/2 or more."""
        return (pixels.from_bytes(self.drawn, self.size, 1) > 0).float()

    @mask.setter
    def mask(self, mask: Tensor) -> None:
        self.drawn = pixels.index_bytes(mask, self.size)

    @property
    def image(self) -> Tensor:
        """(1, 3, size, size), float in [0, 1]: the picture with all strokes on it. Setting it clears the strokes."""
        return pixels.paint(self.background, self.drawn, self.colours, self.size)

    @image.setter
    def image(self, image: Tensor) -> None:
        with self.hold_sync():
            self.background = pixels.image_bytes(image, self.size)
            self.clear()

    def clear(self) -> None:
        """Erase all strokes."""
        self.drawn = bytes(self.size**2)

    def figure(self) -> Picture:
        """Return the surface as a Picture."""
        count = int(self.mask.sum())
        share = f"{count} of {self.size**2} pixels are drawn on"
        alt = f"{self.label}, {self.size} by {self.size} pixels; {share}."
        return row(self.image * 2 - 1, [share], alt, scale=max(256 // self.size, 1))

    @validate("drawn")
    def _one_byte_for_each_pixel(self, proposal):
        if len(proposal.value) != self.size**2 or max(proposal.value, default=0) > len(self.colours or INKS):
            raise EduError(
                f"drawn has {len(proposal.value)} bytes; there must be {self.size**2}, one for "
                f"each pixel, from 0 to {len(self.colours)}."
            )
        return proposal.value

    def _repr_mimebundle_(self, **options):
        """Return the live surface and, for viewers without a kernel, the plain picture."""
        data, metadata = super()._repr_mimebundle_(**options)
        return {**data, **self.figure()._repr_mimebundle_()}, metadata
