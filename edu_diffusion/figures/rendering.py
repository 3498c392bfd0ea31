"""A picture with its alt text, so that it can be seen, and read aloud, wherever it is shown."""

import base64
import html
import io
import os

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["Picture", "picture", "to_png"]

EFFORT = 4  # of 9, the PNG's compression: 9 takes longer than the drawing and saves a few per cent of the bytes


class Picture:
    """The bytes of a PNG and its alt text.

    JupyterLab shows the HTML, whose alt text it keeps (it drops that of a bare PNG); programs that show no
    HTML use the PNG, and a terminal the alt text.
    """

    def __init__(self, png: bytes, alt: str) -> None:
        if not alt or not alt.strip():
            raise ValueError("A picture needs alt text: a sentence that says what it shows.")
        self.png, self.alt = png, " ".join(alt.split())

    def html(self) -> str:
        """Return an <img> with the data and the size inside it, so that the page does not jump while it loads."""
        data = base64.b64encode(self.png).decode()
        alt = html.escape(self.alt, quote=True)
        width, height = (int.from_bytes(self.png[i : i + 4]) for i in (16, 20))  # where every PNG has them
        return (
            f'<img alt="{alt}" width="{width}" height="{height}" style="max-width:100%;height:auto" '
            f'src="data:image/png;base64,{data}">'
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write the PNG to a file."""
        with open(path, "wb") as file:
            file.write(self.png)

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"

    def _repr_mimebundle_(self, **_):
        return {"text/html": self.html(), "image/png": base64.b64encode(self.png).decode(), "text/plain": repr(self)}


def to_png(fig: Figure) -> bytes:
    """Draw a matplotlib Figure and return the bytes of a PNG file, the same for the same figure."""
    file = io.BytesIO()
    FigureCanvasAgg(fig).print_png(file, metadata={"Software": None}, pil_kwargs={"compress_level": EFFORT})
    return file.getvalue()


def picture(fig: Figure, alt: str) -> Picture:
    """Draw a matplotlib Figure and return a Picture."""
    return Picture(to_png(fig), alt)
