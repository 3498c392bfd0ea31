"""The one kind of error that is meant for the person at the keyboard."""


class EduError(ValueError):
    """What was wrong, what is allowed and what to do, in one sentence; shown without a traceback."""
