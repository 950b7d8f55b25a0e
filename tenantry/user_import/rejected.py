"""The file of the records that were not imported, in the input's own form, so that it can be fixed and fed back."""

import csv
import json
import os
from pathlib import Path

from tenantry.user_import.records import LINE, REASON, Form, Record


class RejectedFile:
    """Made with the first record. What an interrupted import wrote beyond its last saved batch is cut off."""

    def __init__(self, path: Path, form: Form, length: int) -> None:
        self._path, self._form = path, form
        self.length = length if path.exists() else 0
        if self.length:
            os.truncate(path, length)
        else:
            path.unlink(missing_ok=True)  # what is there was not on record

    def add(self, rejected: list[tuple[Record, str]]) -> None:
        """On disk when it returns."""
        if not rejected:
            return
        private = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(private, "a", encoding="utf-8", errors="surrogateescape", newline="") as file:
            if self._form.kind == "CSV":
                names = [name for name in self._form.header if name not in (LINE, REASON)]
                writer = csv.writer(file, delimiter=self._form.delimiter, lineterminator="\n")
                if not self.length:
                    writer.writerow([LINE, REASON, *names])
                for record, reason in rejected:
                    cells = (record.fields.get(name, "") for name in names)
                    writer.writerow([record.line, reason, *cells, *record.extra])
            else:
                for record, reason in rejected:
                    held = {**record.fields, **({"tenantry_text": record.text} if record.text else {})}
                    file.write(json.dumps({LINE: record.line, REASON: reason, **held}) + "\n")
            file.flush()
            os.fsync(file.fileno())
            self.length = os.fstat(file.fileno()).st_size
