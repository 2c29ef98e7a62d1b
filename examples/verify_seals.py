"""Verifies an export of `portico audit export` with nothing but Python: verify_seals.py FOLDER [FILE WITH SEALS ...]"""

import json
import struct
import sys
from hashlib import sha256
from pathlib import Path


def lines(path):
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def link(before, event):
    texts = [event[name].encode("utf-8", "surrogateescape") for name in ("stream", "type", "metadata", "data")]
    numbers = event["sequence"], event["version"], event["microseconds"], *map(len, texts)
    return sha256(before + struct.pack(">qiqIIII", *numbers) + b"".join(texts)).digest()


def verify(path, seals):
    """Says what is wrong with the events of one shard, or nothing."""
    name = path.name.removesuffix(".events.jsonl").replace("-", "/")
    seals = sorted((s for s in seals if f"{s['service']}/{s['shard']}" == name), key=lambda seal: seal["last"])
    start, value, fitting = (seals[0]["first"] if seals else 1) - 1, None, 0
    for number, event in enumerate(lines(path)):
        if number == 0 and start < event["sequence"] - 1:
            start = event["sequence"] - 1
            value = bytes.fromhex(next(seal["seal"] for seal in seals if seal["last"] == start))
            seals = [seal for seal in seals if seal["last"] > start]
        if number == 0:
            last, value = event["sequence"] - 1, value or sha256(f"portico.seal.1 {name}:{start}".encode()).digest()
        if event["sequence"] != last + 1:
            return f"{name}:{last + 1} is missing"
        last = event["sequence"]
        value = link(value, event) if last > start else value
        while seals and seals[0]["last"] == last:
            if seals.pop(0)["seal"] != value.hex():
                return f"{name}: the events from {fitting + 1 or start + 1} to {last} are not those that were sealed"
            fitting = last
    return f"{name}: the events after {last} are cut off" if seals else None


folder, *more = map(Path, sys.argv[1:])
every = [seal for path in [*folder.glob("*.seals.jsonl"), *more] for seal in lines(path)]
wrong = [text for path in sorted(folder.glob("*.events.jsonl")) if (text := verify(path, every))]
print("\n".join(wrong) or f"{len(every)} seals fit")
sys.exit(bool(wrong))
