"""What ends a start with one plain sentence instead of a traceback."""


class StartError(Exception):
    """The message is for the person who typed the command."""
