"""The message under an explorer's controls, as HTML: a sentence, perhaps with a progress bar."""

import html
import re

from ..data import advice
from ..errors import said
from .hints import Tokenizer

__all__ = ["cut", "error_sentence", "message_html", "notices", "progress_bar"]

GREY, RED = "#5f6b76", "#a1260d"


def message_html(sentence: str, alert: bool = False) -> str:
    """Return a sentence as HTML; an alert is read aloud at once, and never has a progress bar."""
    colour, role = (RED, "alert") if alert else (GREY, "status")
    bar = "" if alert else progress_bar(sentence)
    return f'<p role="{role}" style="color:{colour};margin:0">{html.escape(sentence)}{bar}</p>'


def progress_bar(sentence: str) -> str:
    """Return the bar for a message such as "Step 3 of 20", hidden from screen readers, which read the message; or ""."""
    found = re.search(rf"(\d+)(?: of |{re.escape(said(' of '))})(\d+)$", sentence)
    return ' <progress value="{}" max="{}" aria-hidden="true"></progress>'.format(*found.groups()) if found else ""


def error_sentence(error: BaseException) -> str:
    """Return an error as one sentence."""
    if isinstance(error, KeyboardInterrupt):
        return said("Stopped.")
    words = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return " ".join(words.split())


def cut(tokenizer: Tokenizer, prompt: str) -> str:
    """Return a sentence that names the dropped words if the prompt is truncated, else an empty one."""
    count, most = len(tokenizer(prompt, verbose=False).input_ids) - 2, tokenizer.model_max_length - 2
    if count <= most:
        return ""
    lost = advice.dropped(tokenizer, prompt)
    return said("The prompt has {} tokens; only the first {} are read; dropped: {}.", count, most, lost)


def notices(tokenizer: Tokenizer, prompt: str) -> str:
    """Return what a learner should know about a prompt, one sentence after the other: what was cut off, unknown words, colours."""
    return " ".join(filter(None, [cut(tokenizer, prompt), *advice.for_model(tokenizer, prompt)]))
