"""The page of `report`: one HTML file to print, black on white, without scripts. Whatever a learner wrote is shown as text."""

import html

from edu_diffusion.errors import said

from . import html_page, languages

STYLE = """body{font:11pt/1.4 "Segoe UI",Helvetica,Arial,sans-serif;color:#000;background:#fff}
body{max-width:60em;margin:1.5em auto;padding:0 1em}
table{border-collapse:collapse;margin:.6em 0} td,th{border:1px solid #777;padding:.2em .5em;text-align:left;vertical-align:top}
h1{font-size:1.6em} h2{font-size:1.25em;margin-top:1.6em} h3{font-size:1em;margin:1.2em 0 .2em;break-after:avoid}
td{overflow-wrap:anywhere} tr,li{break-inside:avoid} ul{margin:.2em 0}"""


def page(learners, names, mistakes, gained, believed, notes, practice):
    """Return the HTML. learners: Learner objects; names: lessons; the rest as the functions of report.py return it."""
    parts = [
        f"<h1>{text(said('Report'))}</h1><p>{text(practice)}</p>",
        section(said("Right answers"), scores(learners, names)),
        section(
            said("Commonest mistakes"), counted(said("hint"), [(f"{name}: {hint}", count) for (name, hint), count in mistakes])
        ),
        section(said("Concept test"), concepts(gained) + counted(said("still believed"), believed)),
        section(said("What each learner needs next"), "".join(unfinished(learner) for learner in learners)),
        section(said("Their sentences, to read"), sentences(learners)),
        section(said("Left out"), listed(notes)),
    ]
    return html_page.frame(said("Report"), STYLE, f"<main>\n{''.join(parts)}\n</main>", language=languages.chosen())


def text(words):
    return html.escape(str(words), quote=True)


def section(title, body):
    """A heading and what stands below it; nothing where there is nothing."""
    return f"<section><h2>{text(title)}</h2>{body}</section>\n" if body else ""


def listed(lines):
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>" if lines else ""


def rows(head, body):
    """A table of texts."""
    first = "".join(f'<th scope="col">{text(cell)}</th>' for cell in head)
    others = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in body)
    return f"<table><tr>{first}</tr>{others}</table>" if body else ""


def scores(learners, names):
    head = [said("pseudonym"), *names, said("own run")]
    return rows(head, [[one.pseudonym, *(mark(one.score(name)) for name in names), one.own_run] for one in learners])


def mark(score):
    return "" if score is None else said("{} of {}", *score)


def counted(what, pairs):
    return rows([what, said("learners")], pairs)


def concepts(gained):
    """The items of the concept test, those who answered it before and after."""
    counts = (said("learners"), said("right before"), said("right after"), said("learned"), said("lost"))
    return rows([said("item"), *counts], gained)


def unfinished(learner):
    """The hints to a learner's unfinished questions, lesson by lesson."""
    lines = [
        f"{lesson[:2]} {name}: {verdict.words}"
        for lesson, verdicts in learner.verdicts.items()
        for name, verdict in verdicts.items()
        if not verdict.right
    ]
    done = said("everything that was handed in is right.") if learner.verdicts else said("no lesson was handed in.")
    return f"<h3>{text(learner.pseudonym)}</h3>{listed(lines or [done])}"


def sentences(learners):
    return listed([f"{one.pseudonym}: {sentence}" for one in learners for sentence in one.sentences])
