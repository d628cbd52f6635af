"""The one error of this decoder."""


class BackupError(Exception):
    """A backup that cannot be read whole. The message names the object and says what is wrong with it."""
