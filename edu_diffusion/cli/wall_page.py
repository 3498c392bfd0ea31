"""The page of `wall`: one HTML file with the pictures inside, for a projector: black on white, large, without scripts."""

import base64
import html

from . import html_page

STYLE = """
body { margin: 2rem; background: #fff; color: #000; font: 1.6rem/1.4 "Segoe UI", Helvetica, Arial, sans-serif }
h1 { font-size: 3rem; margin: 0 0 2rem }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 2rem }
ul { margin: 0; padding: 0; list-style: none }
figure { margin: 0; break-inside: avoid }
img { display: block; width: 100%; height: auto; border: 2px solid #000; image-rendering: pixelated }
figcaption { margin-top: .5rem; overflow-wrap: anywhere }
"""


def page(pictures, title, numbered=False):
    """Return the HTML of a page. pictures: things with png (bytes), alt and caption; numbered: with their numbers, from 1."""
    items = "\n".join(item(picture, number if numbered else None) for number, picture in enumerate(pictures, 1))
    body = f"<ul>\n{items}\n</ul>" if items else "<p>There are no pictures yet.</p>"
    return html_page.frame(title, STYLE, f"<main>\n<h1>{html.escape(title)}</h1>\n{body}\n</main>")


def item(picture, number=None):
    """Return the HTML of one picture and its caption."""
    data = base64.b64encode(picture.png).decode()
    before = "" if number is None else f"<strong>{number}</strong> "
    return (
        f'<li><figure><img alt="{html.escape(picture.alt, quote=True)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{before}{html.escape(picture.caption)}</figcaption></figure></li>"
    )
