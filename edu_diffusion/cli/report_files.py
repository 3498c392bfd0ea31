"""The marks of a class as Moodle and Canvas import them, by pseudonym. Standard library only.

Replace the pseudonyms by your own list only where you upload. Moodle asks at the import what the first column is (choose "ID
number", or edit it into e-mail addresses) and which column belongs to which grade item. Canvas wants its own first columns and a
row of the points possible, and finds a learner by the SIS Login ID; an assignment that it does not know it offers to create.
"""

import csv
import io

DANGEROUS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet takes a cell that begins so for a formula


def moodle(lessons, marks):
    """Return the CSV for Moodle: a column for the ID number, one for each lesson; empty where it was not handed in."""
    rows = [[pseudonym, *map(points, scores)] for pseudonym, scores in marks]
    return table([["ID number", *lessons], *rows])


def canvas(lessons, most, marks):
    """Return the CSV for Canvas's gradebook. most: the points possible in each lesson."""
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows = [[pseudonym, "", "", pseudonym, "", *map(points, scores)] for pseudonym, scores in marks]
    return table([[*head, *lessons], ["Points Possible", "", "", "", "", *most], *rows])


def points(score):
    return "" if score is None else score[0]


def table(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[safe(cell) for cell in row] for row in rows])
    return text.getvalue()


def safe(cell):
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(DANGEROUS) else cell
