"""Which backups make up a series, and whether it is whole."""

from __future__ import annotations

from errors import BackupError
from manifest import Entry


def choose(entries: list[Entry], backup_id: str | None, backup_num: int) -> list[Entry]:
    """Returns the wanted series, oldest first, up to `backup_num` (0: to its end).

    Without an id it is the series the newest entry ends. Timestamps are not asked to grow: in real series they do not.
    Raises BackupError, which names everything that is missing, when a part of the series is not there.
    """
    series = _newest_series(entries, backup_id)
    if not series:
        wanted = f" with the backup id {backup_id}" if backup_id else ""
        raise BackupError(f"no backup{wanted} found")
    wanted = series[:backup_num] if backup_num else series
    problems = _broken_links(series) + _missing_objects(wanted)
    if len(wanted) < backup_num:
        problems.append(f"backup number {backup_num} asked for, but the series has {len(series)}")
    if problems:
        raise BackupError("; ".join(problems))
    return wanted


def _newest_series(entries: list[Entry], backup_id: str | None) -> list[Entry]:
    """Walks back from the newest entry to the first full one."""
    taken: list[Entry] = []
    for entry in reversed(entries):
        if backup_id and entry.backup_id != backup_id:
            continue
        taken.append(entry)
        if entry.is_full:
            break
    return taken[::-1]


def _broken_links(series: list[Entry]) -> list[str]:
    problems = []
    for number, entry in enumerate(series, start=1):
        if entry.backup_id != series[0].backup_id:
            problems.append(f"{entry.folder} is of series {entry.backup_id}, expected {series[0].backup_id}")
        if entry.backup_num != number:
            problems.append(f"{entry.folder} has backup number {entry.backup_num}, expected {number}")
    return problems


def _missing_objects(series: list[Entry]) -> list[str]:
    objects = [(entry.object_path(group), group) for entry in series for group in sorted(entry.groups)]
    return [f"{path}: the object of group {group} is missing" for path, group in objects if not path.is_file()]
