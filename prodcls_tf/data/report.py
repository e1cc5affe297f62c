"""What the intake found: for the terminal in sentences, for files as plain values."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

# How many places are named for each finding.
EXAMPLES = 5


class Finding(BaseModel):
    """How many rows something is true of, and where the first of them stand.

    Attributes:
      rows: the number of rows.
      examples: up to EXAMPLES of them, each beginning with `file:line`.
    """

    rows: int = 0
    examples: list[str] = Field(default_factory=list)

    def count(self, example: str) -> None:
        """Adds a row, which stands there."""
        self.rows += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)

    def __add__(self, later: Finding) -> Finding:
        """Returns the sum of two, of which the second comes after the first."""
        examples = [*self.examples, *later.examples][:EXAMPLES]
        return Finding(rows=self.rows + later.rows, examples=examples)


class FileReport(BaseModel):
    """One product file.

    Attributes:
      file: its path.
      rows: rows in it, those rejected included.
      rejected: rows that could not be read.
      encoding: in which it was read; '' for Parquet.
      delimiter: what stood between its cells; '' where it is no CSV.
      byte_order_mark: whether a byte-order mark was taken off.
    """

    file: str
    rows: int
    rejected: int
    encoding: str
    delimiter: str
    byte_order_mark: bool = False


class IntakeReport(BaseModel):
    """The sum of an intake. All rows read are either kept or in one of the findings left out.

    Attributes:
      rows_read: rows in all files.
      kept: rows kept in `train`, `val` and `test`.
      categories: number of categories that the kept rows have.
      files: how each file was read.
      byte_order_marks: number of files from which a byte-order mark was taken off.
      rejected: left out: cannot be read as their file is written.
      empty_text: left out: no text field has anything visible.
      empty_label: left out: no label, or a word such as `nan` that stands for none.
      duplicates: left out: same text and category as a row that is kept.
      conflicts: left out: same text as another row, and another category than most.
      cross_split: left out: same text as a row in a split that is held out more.
      unknown_category: left out: the category has no row in train.
      mended: quotes that break the rules of CSV, read nevertheless.
      replaced: half a surrogate pair, as cut-off emoji leave it in JSON, became U+FFFD.
      cleaned: markup, entities or control characters were taken out of a text.
      near_duplicates: kept; another kept row is alike but for numbers and the order of words.
      empty_levels: kept; the category path had empty levels, which were closed up.
      single_row: kept in train; the only row of its category.
      moved_to_train: kept in train, where else a category would have no row; of that category, or
        of one key with a row of it.
    """

    rows_read: int = 0
    kept: dict[str, int] = Field(default_factory=dict)
    categories: int = 0
    files: list[FileReport] = Field(default_factory=list)
    byte_order_marks: int = 0
    rejected: Finding = Field(default_factory=Finding)
    empty_text: Finding = Field(default_factory=Finding)
    empty_label: Finding = Field(default_factory=Finding)
    duplicates: Finding = Field(default_factory=Finding)
    conflicts: Finding = Field(default_factory=Finding)
    cross_split: Finding = Field(default_factory=Finding)
    unknown_category: Finding = Field(default_factory=Finding)
    mended: Finding = Field(default_factory=Finding)
    replaced: Finding = Field(default_factory=Finding)
    cleaned: Finding = Field(default_factory=Finding)
    near_duplicates: Finding = Field(default_factory=Finding)
    empty_levels: Finding = Field(default_factory=Finding)
    single_row: Finding = Field(default_factory=Finding)
    moved_to_train: Finding = Field(default_factory=Finding)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as plain values for JSON."""
        return self.model_dump(mode="json")

    def lines(self) -> list[str]:
        """Returns short sentences for a person: the sums, then each finding that has rows."""
        kept = ", ".join(f"{rows:,} {split}" for split, rows in self.kept.items())
        sums = f"{self.rows_read:,} rows read; kept: {kept}; {self.categories:,} categories"
        return [sums, *self.guesses(), *self.findings()]

    def guesses(self) -> list[str]:
        """Returns a sentence for each encoding but UTF-8 in which files were read."""
        taken: dict[str, list[str]] = {}
        for file in self.files:
            if file.encoding not in ("", "utf-8"):
                taken.setdefault(file.encoding, []).append(file.file)
        return [
            f"read as {encoding}: {', '.join(names[:EXAMPLES])}"
            f"{f' and {len(names) - EXAMPLES} more' if len(names) > EXAMPLES else ''}"
            for encoding, names in taken.items()
        ]

    def findings(self) -> list[str]:
        """Returns a sentence for each finding that has rows, with its first places."""
        sentences = []
        for name, sentence in _SENTENCES.items():
            finding: Finding = getattr(self, name)
            if finding.rows:
                more = ", ..." if finding.rows > len(finding.examples) else ""
                rows = f"{finding.rows:,} row{'' if finding.rows == 1 else 's'}"
                places = "; ".join(finding.examples)
                sentences.append(f"{rows} {sentence} ({places}{more})")
        return sentences


_SENTENCES = {
    "rejected": "left out: cannot be read",
    "empty_text": "left out: no text",
    "empty_label": "left out: no category",
    "duplicates": "left out: repeated, same text and category",
    "conflicts": "left out: same text under several categories",
    "cross_split": "left out: same text in a split that is held out more",
    "unknown_category": "left out: category without a row in train",
    "mended": "with quotes that break the rules of CSV, read nevertheless",
    "replaced": "with half a character, which became U+FFFD",
    "cleaned": "with markup, entities or controls, which were taken out of the text",
    "near_duplicates": "alike but for numbers and the order of words, kept",
    "empty_levels": "with empty levels in the category path, which were closed up",
    "single_row": "alone in a category: learned from, but never measured",
    "moved_to_train": "moved to train: else a category would have no row there",
}
