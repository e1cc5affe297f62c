"""The first step: product files to the splits of raw examples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, cast

import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, Channel, artifact_utils
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_artifacts import Examples

from prodcls_tf.data.intake import survey
from prodcls_tf.data.reading import Row
from prodcls_tf.data.rejects import rejects_file
from prodcls_tf.data.spans import spans_of
from prodcls_tf.features import CATEGORY, SLICE, SPLITS
from prodcls_tf.settings import DataSettings

# What intake found and left out, beside the splits: a cached step still has its report.
INTAKE_REPORT = "intake.json"
REJECTS = "rejects.csv"

# A shard is what one worker reads at a time; 20,000 titles are about 1 MB compressed.
ROWS_PER_SHARD = 20_000


class ProductExampleGenExecutor(BaseExecutor):
    """Reads, checks and splits product files with `prodcls_tf.data.intake`."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the splits, the report of intake, and the list of the rows it left out.

        Args:
          input_dict: empty.
          output_dict: `examples`, one artifact.
          exec_properties: see `ProductExampleGen`.

        Raises:
          InputError: the files cannot be used; the message names file, line or column.
        """
        sources = json.loads(exec_properties["sources"])
        settings = DataSettings.model_validate_json(exec_properties["data"])
        (examples,) = output_dict["examples"]
        files = {source: [Path(name) for name in names] for source, names in sources.items()}
        intake = survey(files, settings)
        with rejects_file(Path(examples.uri, REJECTS)) as left_out:
            write_splits(
                intake.rows(left_out),
                settings.fields,
                Path(examples.uri),
                sliced=bool(settings.slice_by),
            )
        report = json.dumps(intake.report.to_dict(), ensure_ascii=False, indent=2)
        Path(examples.uri, INTAKE_REPORT).write_text(report, encoding="utf-8")

        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        paths = [path for found in files.values() for path in found]
        examples.span = max(spans_of(paths), default=0)
        examples.version = 0
        examples.set_string_custom_property("input_fingerprint", exec_properties["fingerprint"])
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")


class ProductExampleGenSpec(ComponentSpec):
    """What the step takes and gives."""

    INPUTS: ClassVar[dict[str, Any]] = {}
    PARAMETERS: ClassVar[dict[str, Any]] = {
        "sources": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
        "data": ExecutionParameter(type=str),
        "version": ExecutionParameter(type=str),
    }
    OUTPUTS: ClassVar[dict[str, Any]] = {"examples": ChannelParameter(type=Examples)}


class ProductExampleGen(BaseComponent):
    """Product files become examples in the splits train, val and test.

    TFX's own CsvExampleGen fixes UTF-8 and the comma, stumbles over inch marks and lets the same
    text into two splits; intake does not.

    Args:
      sources: files by source: `all`, or `train`, `val` and `test`.
      fingerprint: digest of the files' contents: the step is cached while it stays the same.
      data: columns, separator and shares.
      version: of the code: another one reads the files afresh, and all steps follow.

    Example:
      >>> files = {"all": ["products.csv"]}
      >>> step = ProductExampleGen(files, "a3b0c4", DataSettings(), version="0.1.0+7d")
      >>> sorted(step.outputs)
      ['examples']
    """

    SPEC_CLASS = ProductExampleGenSpec
    EXECUTOR_SPEC = ExecutorClassSpec(ProductExampleGenExecutor)

    def __init__(
        self,
        sources: Mapping[str, Sequence[str]],
        fingerprint: str,
        data: DataSettings,
        version: str,
    ) -> None:
        """See the class."""
        spec = ProductExampleGenSpec(
            sources=json.dumps({source: list(files) for source, files in sources.items()}),
            fingerprint=fingerprint,
            data=data.model_dump_json(),
            version=version,
            examples=Channel(type=Examples),
        )
        super().__init__(spec=spec)


def write_splits(
    rows: Iterable[tuple[str, Row]], fields: Sequence[str], folder: Path, *, sliced: bool = False
) -> None:
    """Writes rows as GZIP TFRecords of tf.Example, in the layout of a TFX Examples artifact.

    Args:
      rows: the split and the content of each row.
      fields: names of the text fields, in the order of `Row.fields`.
      folder: gets `Split-train/`, `Split-val/` and `Split-test/`.
      sliced: whether `Row.slice` goes with them.
    """
    serialized = _Serializer([*fields, CATEGORY, *([SLICE] if sliced else [])])
    with ExitStack() as stack:
        writers = {split: _writers(folder / f"Split-{split}", stack) for split in SPLITS}
        writer = {split: next(shards) for split, shards in writers.items()}
        count = dict.fromkeys(SPLITS, 0)
        for split, row in rows:
            if count[split] and count[split] % ROWS_PER_SHARD == 0:
                writer[split] = next(writers[split])
            values = [*row.fields, row.category, *([row.slice] if sliced else [])]
            writer[split].write(serialized(values))
            count[split] += 1


def _writers(folder: Path, stack: ExitStack) -> Iterator[tf.io.TFRecordWriter]:
    """Opens one shard after the other; a split without rows still gets an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    shard = 0
    while True:
        path = folder / f"data_tfrecord-{shard:05d}.gz"
        writer = stack.enter_context(tf.io.TFRecordWriter(str(path), "GZIP"))
        yield writer
        writer.close()
        shard += 1


class _Serializer:
    """Makes the bytes of tf.Examples with the same features.

    One message is filled again and again: to make one takes three times as long.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._example = tf.train.Example()
        feature = self._example.features.feature
        self._slots = [feature[name].bytes_list.value for name in names]
        for slot in self._slots:
            slot.append(b"")

    def __call__(self, values: Sequence[str]) -> bytes:
        for slot, value in zip(self._slots, values, strict=True):
            # JSON can carry halves of surrogate pairs, which UTF-8 has no bytes for.
            slot[0] = value.encode("utf-8", "replace")
        # The order of a map's keys is left to chance otherwise.
        return cast(bytes, self._example.SerializeToString(deterministic=True))
