"""Rows and messages in the form in which they travel: CSV for the import, CloudEvents for the ERP's topic."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import NAMESPACE_URL, uuid5

from contracts.erp import ErpMessage

SOURCE = "/lindenau/erp"


@dataclass(frozen=True, slots=True)
class ErpRecord:
    """A record for `erp.in`: CloudEvents 1.0 in binary mode."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


def csv_bytes(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A file as the import takes it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def erp_record(message: ErpMessage) -> ErpRecord:
    """The record of a message. Its id is made of what it says: the same again is known, a change is not."""
    value = message.model_dump_json().encode()
    id_ = str(uuid5(NAMESPACE_URL, f"{message.type} {value.decode()}"))
    headers = {
        "ce_specversion": "1.0",
        "ce_id": id_,
        "ce_type": message.type,
        "ce_source": SOURCE,
        "ce_subject": message.contract,
        "content-type": "application/json",
    }
    return ErpRecord(message.contract.encode(), value, [(name, text.encode()) for name, text in headers.items()])
