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
