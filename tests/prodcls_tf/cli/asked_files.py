"""Files that go into `prodcls ask`, and what comes out."""

from __future__ import annotations

import csv


def write_products(folder, count):
    source = folder / "in.csv"
    lines = "".join(f"pan {number},\n" for number in range(count))
    source.write_text(f"title,description\n{lines}", encoding="utf-8")
    return source


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def names(folder):
    return sorted(path.name for path in folder.iterdir())
