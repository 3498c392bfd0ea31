"""The page of `lab --class`: a card for each seat, to print and cut out. Standard library only."""

import html

from .html_page import frame

STYLE = """
body { margin: 1cm; background: #fff; color: #000; font: 14pt/1.5 "Segoe UI", Helvetica, Arial, sans-serif }
ul { display: grid; grid-template-columns: 1fr 1fr; gap: 0; margin: 0; padding: 0; list-style: none }
li { border: 1px dashed #000; padding: .6cm; break-inside: avoid }
h2 { margin: 0; font-size: 18pt }
code { font: bold 15pt "DejaVu Sans Mono", Consolas, monospace; overflow-wrap: anywhere }
"""


def page(seats, host):
    """Return the HTML of all cards. host: this computer's address in its network."""
    cards = "\n".join(card(seat, f"http://{host}:{seat.port}") for seat in seats)
    return frame("Seats", STYLE, f"<main>\n<ul>\n{cards}\n</ul>\n</main>")


def card(seat, address):
    """Return the HTML of one card."""
    return (
        f"<li><h2>Seat {seat.number}</h2>In a browser: <code>{html.escape(address)}</code><br>"
        f"Password: <code>{html.escape(seat.password)}</code></li>"
    )
