"""How TFX is told of product files: which there are, what they are for, and what marks them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Optional

from tfx.components.example_gen.driver import FileBasedDriver
from tfx.components.example_gen.input_processor import InputProcessor
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.utils import proto_utils

from pipeline.arguments import digest_of
from prodcls_tf.data.spans import spans_of
from prodcls_tf.errors import InputError

Splits = Iterable[example_gen_pb2.Input.Split]


def input_of(files: Mapping[str, Sequence[str]]) -> tuple[str, example_gen_pb2.Input]:
    """Makes TFX's `input_base` and `input_config` of product files.

    Args:
      files: paths by source: `all`, or `train`, `val` and `test`.

    Returns:
      The folder that all files lie below, and an input split for each file: its name is the source,
      its pattern the file's path below that folder.

    Raises:
      InputError: a path is not UTF-8, which ML Metadata needs.

    Example:
      >>> base, config = input_of({"all": ["/data/a.csv", "/data/span-2/b.csv"]})
      >>> base, [(split.name, split.pattern) for split in config.splits]
      ('/data', [('all', 'a.csv'), ('all', 'span-2/b.csv')])
    """
    # Not normalized: behind a link, `..` is not the folder that its name says.
    paths = {source: [Path(path).absolute() for path in some] for source, some in files.items()}
    base = os.path.commonpath([path.parent for some in paths.values() for path in some])
    for path in chain.from_iterable(paths.values()):
        _check_is_text(str(path))
    return base, example_gen_pb2.Input(
        splits=[
            example_gen_pb2.Input.Split(name=source, pattern=str(path.relative_to(base)))
            for source, some in paths.items()
            for path in some
        ]
    )


def files_of(base: str, config: str) -> dict[str, list[Path]]:
    """Returns the product files of TFX's `input_base` and `input_config`, the latter as JSON.

    Example:
      >>> base, config = input_of({"all": ["/data/a.csv"]})
      >>> files_of(base, proto_utils.proto_to_json(config))
      {'all': [PosixPath('/data/a.csv')]}
    """
    message = example_gen_pb2.Input()
    proto_utils.json_to_proto(config, message)
    return _by_source(base, message.splits)


class ProductFilesDriver(FileBasedDriver):
    """Tells files apart by what they contain: TFX's own goes by their times of change.

    So the step is cached when a file is written anew with the same bytes. Patterns are names, in
    which a `*` or `{SPAN}` means nothing.
    """

    def get_input_processor(
        self,
        splits: Splits,
        range_config: Optional[range_config_pb2.RangeConfig] = None,
        input_base_uri: Optional[str] = None,
    ) -> InputProcessor:
        """Returns what answers TFX's driver about the files."""
        return _ProductFiles(_by_source(input_base_uri or "", splits))


class _ProductFiles(InputProcessor):
    def __init__(self, files: Mapping[str, Sequence[Path]]) -> None:
        super().__init__(splits=[])
        self._files = files

    def resolve_span_and_version(self) -> tuple[int, Optional[int]]:
        return self.get_latest_span(), 0

    def get_latest_span(self) -> int:
        paths = [path for found in self._files.values() for path in found]
        return max(spans_of(paths), default=0)

    def get_pattern_for_span_version(self, pattern: str, span: int, version: Optional[int]) -> str:
        return pattern

    def get_input_fingerprint(self, span: int, version: Optional[int]) -> str:
        return digest_of(self._files)


def _by_source(base: str, splits: Splits) -> dict[str, list[Path]]:
    files: dict[str, list[Path]] = {}
    for split in splits:
        files.setdefault(split.name, []).append(Path(base, split.pattern))
    return files


def _check_is_text(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"The path of a product file must be UTF-8. Received {path!r}. Rename it."
        ) from None
