"""Source code in a lesson: shown, or closed until it is pressed."""

from edu_diffusion import figures, steps


def test_an_open_source_is_python():
    bundle = figures.source(steps.guide)._repr_mimebundle_()
    assert bundle["text/markdown"].startswith("```python\ndef guide(") and "def guide(" in bundle["text/plain"]


def test_a_closed_source_shows_its_name_only():
    bundle = figures.source(steps.guide, closed=True)._repr_mimebundle_()
    summary, code = bundle["text/html"].split("</summary>")
    assert "Our code of guide" in summary and "eps_c" not in summary
    assert code.startswith("<pre") and "def guide(" in code and "open" not in summary
    assert "def guide" not in bundle["text/plain"] and "text/markdown" not in bundle


FORMULA = r"v_u + g\,(v_c - v_u) < \infty"


def test_a_formula_stands_above_the_code():
    bundle = figures.source(steps.guide, formula=FORMULA)._repr_mimebundle_()
    assert bundle["text/markdown"].startswith(f"$${FORMULA}$$\n\n```python\ndef guide(")
    assert "$" not in figures.source(steps.guide)._repr_mimebundle_()["text/markdown"].split("def guide")[0]


def test_the_formula_of_a_closed_source_is_closed_as_well():
    html = figures.source(steps.guide, closed=True, formula=FORMULA)._repr_mimebundle_()["text/html"]
    summary, code = html.split("</summary>")
    assert code.startswith("$$v_u") and "- v_u) &lt; \\infty$$" in code.split("<pre")[0], "escaped, above the code"
    assert "$" not in summary and code.endswith("</details>") and html.count("$$") == 2
