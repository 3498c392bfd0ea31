"""Markdown with LaTeX formulas as HTML that needs no network: matplotlib draws the formulas."""

import base64
import functools
import html
import io
import re

POINTS = 12  # of the text around a formula: its size follows that text
SPELLINGS = (  # LaTeX that matplotlib knows in another spelling only, or not at all where it changes no more than a size
    (r"\\mathcal (\w)", r"\\mathcal{\1}"),
    (r"\\[lr]Vert", r"\\Vert "),
    (r"\\t?frac(\d)(\d)", r"\\frac{\1}{\2}"),
    (r"\\tfrac", r"\\frac"),
    (r"\\le(?![a-z])", r"\\leq"),
    (r"\\bmod", r"\\ \\mathrm{mod}\\ "),
    (r"\\big|\\!", ""),
    (r"\\text\{([^}]*)\}", lambda found: r"\mathrm{" + found[1].replace(" ", r"\ ") + "}"),
)


def to_html(text):
    """Return Markdown as HTML with typeset formulas; one between $$ gets the class "display"."""
    import mistune

    return mistune.html(re.sub(r"(\$\$?)([^$]+)\$\$?", lambda found: formula(" ".join(found[2].split()), found[1] == "$$"), text))


@functools.cache
def formula(tex, display=False):
    """Return a formula as an image with its source as alt text; what matplotlib cannot typeset stays as it is, in a code font."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    drawn, plain, font = io.BytesIO(), tex, FontProperties(size=15, math_fontfamily="stix")
    for pattern, other in [*SPELLINGS, (r"\\frac", r"\\dfrac")] if display else SPELLINGS:
        plain = re.sub(pattern, other, plain)
    try:
        depth = math_to_image(f"${plain}$", drawn, prop=font, dpi=72, format="svg")
    except ValueError:
        return f"`{tex}`"
    width = float(re.search(rb'width="([\d.]+)pt"', drawn.getvalue())[1])
    look = f"width:{width / POINTS:.3f}em;height:auto;max-width:100%;vertical-align:-{depth / POINTS:.3f}em"
    return (
        f'<img{" class=display" * display} alt="{html.escape(tex, quote=True)}" style="{look}" '
        f'src="data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}">'
    )
