"""What a person sees and can operate of a widget: its children, as they are public in ipywidgets."""

from ipywidgets import HTML


def descendants(widget):
    """The widget and all that is in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from descendants(child)


def screen(widget):
    """The part of an explorer that shows the picture."""
    return [part for part in descendants(widget) if isinstance(part, HTML)][-1]


def shown_html(widget):
    """All HTML that is displayed: the message, and the picture with its alt text."""
    return "".join(part.value for part in descendants(widget) if isinstance(part, HTML))


def operable(widget):
    """All controls and buttons that are displayed."""
    if widget.layout.display == "none":
        return []
    own = [widget] if hasattr(widget, "description") and not isinstance(widget, HTML) else []
    return own + [part for child in getattr(widget, "children", ()) for part in operable(child)]
