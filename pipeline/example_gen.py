"""The first step: product files to the splits of raw examples."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import apache_beam as beam
import tensorflow as tf
from google.protobuf.struct_pb2 import Struct
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils
from tfx.utils import proto_utils

from pipeline.product_files import ProductFilesDriver, files_of, input_of
from prodcls_tf.data.concluding import check_usable, conclude
from prodcls_tf.data.first_pass import READING, Surveyed, survey_part, verdict_file
from prodcls_tf.data.parts import Part, plan
from prodcls_tf.data.placing import Memory
from prodcls_tf.data.reading import Row
from prodcls_tf.data.rejects import rejects_file
from prodcls_tf.data.report import IntakeReport
from prodcls_tf.data.second_pass import SPLITTING, kept_rows
from prodcls_tf.errors import DataError, InputError, ProdclsError, RejectsError
from prodcls_tf.features import CATEGORY, SLICE, SPLITS
from prodcls_tf.progress import Counter, report
from prodcls_tf.settings import DataSettings

# What intake found and left out, and which split each key went to, beside the splits: a cached step
# still has its report.
INTAKE_REPORT = "intake.json"
REJECTS = "rejects.csv"
SPLITS_FILE = "splits.gz"

# Where the first row of each category stands.
PLACES = "places.json"

# A shard is what one worker reads at a time; 20,000 titles are about 1 MB compressed.
ROWS_PER_SHARD = 20_000


class ProductExampleGenExecutor(BaseBeamExecutor):
    """Reads, checks and splits product files with `prodcls_tf.data`, in parts, on Beam's workers.

    A row's split can depend on all others (equal texts, categories without a row in train). So all
    parts are surveyed, then decided together in one place, and then each is read again and written.
    """

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the splits, the report of intake, and the list of the rows it left out.

        Args:
          input_dict: empty.
          output_dict: `examples`, one artifact; the driver has marked it with span and fingerprint.
          exec_properties: TFX's own of a file-based ExampleGen; for `custom_config` see
            `ProductExampleGen`.

        Raises:
          InputError: the files cannot be used; the message names file, line or column.
        """
        files = files_of(exec_properties["input_base"], exec_properties["input_config"])
        config = config_of(exec_properties["custom_config"])
        settings = DataSettings.model_validate_json(config["data"])
        (examples,) = output_dict["examples"]
        parts = plan(files, settings)
        with tempfile.TemporaryDirectory(prefix="intake-", dir=examples.uri) as work:
            passes = Passes(
                files,
                settings,
                folder=Path(examples.uri),
                work=Path(work),
                rejects=Path(config["rejects"]),
                splits=Path(config["splits"]),
            )
            with self._make_beam_pipeline() as pipeline:
                (
                    pipeline
                    | "Parts" >> beam.Create(parts)
                    | "Survey" >> beam.Map(passes.survey)
                    | "All" >> beam.combiners.ToList()
                    | "Decide" >> beam.FlatMap(passes.decide)
                    | "Spread" >> beam.Reshuffle()
                    | "Write" >> beam.MapTuple(passes.write)
                )
            passes.finish(parts)

        examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
        examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(examples, "tfrecords_gzip")


@dataclass
class Passes:
    """What Beam's workers do with the parts; each has a copy of this.

    Beam hands on nothing of an exception but its text, so what is wrong with the files is left in
    the folder `work`, and told by `finish`.

    Attributes:
      files: the product files by source.
      settings: columns, separator and shares.
      folder: gets the splits and the report.
      work: gets what is only needed meanwhile; all workers see the same one.
      rejects: where the list of rows left out goes if there are too many of them; the report goes
        beside it.
      splits: folder of the splits of earlier runs; may be missing. Those of this one go into
        `folder`.
    """

    files: Mapping[str, Sequence[Path]]
    settings: DataSettings
    folder: Path
    work: Path
    rejects: Path
    splits: Path
    reading: Counter = field(default_factory=lambda: Counter(READING))
    splitting: Counter = field(default_factory=lambda: Counter(SPLITTING))

    def survey(self, part: Part) -> Surveyed:
        """Makes the first pass over a part."""
        try:
            return survey_part(part, self.settings, self.work, self.reading)
        except InputError as error:
            self._refuse(part.number, error)
            return Surveyed(part)

    def decide(self, surveyed: list[Surveyed]) -> list[tuple[Part, int]]:
        """Decides about all rows; returns the parts to be written, and the number of all rows."""
        if self._refusals():
            return []
        surveyed.sort(key=lambda found: found.part.number)
        try:
            memory = Memory(self.splits, self.folder / SPLITS_FILE)
            conclusion = conclude(surveyed, self.files, self.settings, self.work, memory)
            self._save(conclusion.report, self.folder)
            # In ASCII: a category can hold half a character, which UTF-8 has no bytes for.
            (self.folder / PLACES).write_text(json.dumps(conclusion.places), encoding="utf-8")
            check_usable(conclusion, surveyed, self.settings)
        except RejectsError as error:
            # Nothing of this step will stay, so what it found goes where a person finds it.
            self._save(conclusion.report, self.rejects.parent)
            self._list(surveyed)
            self._refuse(0, InputError(f"{error}\nAll rows left out are listed in {self.rejects}"))
            return []
        except (InputError, DataError) as error:
            self._refuse(0, error)
            return []
        total = sum(found.rows for found in surveyed)
        report(READING, done=total, total=total)
        return [(found.part, total) for found in surveyed]

    def write(self, part: Part, total: int) -> None:
        """Makes the second pass over a part."""
        self.splitting.total = total
        verdicts = verdict_file(self.work, part).read_bytes()
        with rejects_file(self._rejects(part), header=False) as left_out:
            rows = kept_rows(part, verdicts, self.settings, left_out, self.splitting)
            sliced = bool(self.settings.slice_by)
            try:
                write_splits(
                    rows, self.settings.fields, self.folder, part=part.number, sliced=sliced
                )
            except InputError as error:
                self._refuse(part.number, error)

    def finish(self, parts: Sequence[Part]) -> None:
        """Puts the lists of rows that were left out together.

        Raises:
          InputError: files cannot be used. Of several reasons the one in the first part is told.
        """
        for refusal in self._refusals():
            raise InputError(refusal.read_text(encoding="utf-8", errors="surrogateescape"))
        with rejects_file(self.folder / REJECTS):
            pass
        with (self.folder / REJECTS).open("ab") as together:
            for part in parts:
                with self._rejects(part).open("rb") as own:
                    shutil.copyfileobj(own, together)
        report(SPLITTING, done=1, total=1)

    def _save(self, intake: IntakeReport, folder: Path) -> None:
        text = json.dumps(intake.to_dict(), ensure_ascii=False, indent=2)
        (folder / INTAKE_REPORT).write_text(text, encoding="utf-8")

    def _list(self, surveyed: Sequence[Surveyed]) -> None:
        """Lists the rows left out where a person finds them."""
        # A file that has changed meanwhile ends the list; the run is refused in any case.
        with rejects_file(self.rejects) as left_out, contextlib.suppress(InputError):
            for found in surveyed:
                verdicts = verdict_file(self.work, found.part).read_bytes()
                for _ in kept_rows(found.part, verdicts, self.settings, left_out, self.splitting):
                    pass

    def _rejects(self, part: Part) -> Path:
        return self.work / f"{part.number:05d}.rejects"

    def _refusals(self) -> list[Path]:
        return sorted(self.work.glob("*.refused"))

    def _refuse(self, number: int, error: ProdclsError) -> None:
        path = self.work / f"{number:05d}.refused"
        path.write_text(str(error), encoding="utf-8", errors="surrogateescape")


class ProductExampleGen(FileBasedExampleGen):
    """Product files become examples in the splits train, val and test.

    TFX's own CsvExampleGen fixes UTF-8 and the comma, stumbles over inch marks and lets the same
    text into two splits; intake does not.

    Args:
      files: paths by source: `all`, or `train`, `val` and `test`.
      data: columns, separator and shares.
      version: of the code: another one reads the files afresh, and all steps follow.
      rejects: the CSV file that lists the rows left out where too many of them stop the run, with
        the report of intake beside it; else both are beside the splits.
      splits: folder that remembers which split rows went to in earlier runs; may be missing. It is
        read alone: `pipeline.runner` takes into it what this run has left beside its examples.

    Example:
      >>> files = {"all": ["/data/products.csv"]}
      >>> places = {"rejects": "/out/rejects.csv", "splits": "/out/splits"}
      >>> step = ProductExampleGen(files, DataSettings(), version="0.1.0+7d", **places)
      >>> step.exec_properties["input_base"], sorted(step.outputs)
      ('/data', ['examples'])
    """

    EXECUTOR_SPEC = BeamExecutorSpec(ProductExampleGenExecutor)
    DRIVER_CLASS = ProductFilesDriver

    def __init__(
        self,
        files: Mapping[str, Sequence[str]],
        data: DataSettings,
        *,
        version: str,
        rejects: str,
        splits: str,
    ) -> None:
        """See the class."""
        input_base, input_config = input_of(files)
        # Shares are among the settings: TFX would take them as numbers of hash buckets.
        names = [example_gen_pb2.SplitConfig.Split(name=split) for split in SPLITS]
        config = Struct()
        config.update(
            {
                "data": data.model_dump_json(),
                "version": version,
                "rejects": rejects,
                "splits": splits,
            }
        )
        custom_config = example_gen_pb2.CustomConfig()
        custom_config.custom_config.Pack(config)
        super().__init__(
            input_base=input_base,
            input_config=input_config,
            output_config=example_gen_pb2.Output(
                split_config=example_gen_pb2.SplitConfig(splits=names)
            ),
            custom_config=custom_config,
        )


def config_of(custom_config: str) -> dict[str, str]:
    """Returns what `ProductExampleGen` has put into the property `custom_config`, by name.

    Example:
      >>> places = {"rejects": "rejects.csv", "splits": "splits"}
      >>> files = {"all": ["a.csv"]}
      >>> step = ProductExampleGen(files, DataSettings(), version="0.1.0+7d", **places)
      >>> config_of(step.exec_properties["custom_config"])["version"]
      '0.1.0+7d'
    """
    message, config = example_gen_pb2.CustomConfig(), Struct()
    proto_utils.json_to_proto(custom_config, message)
    message.custom_config.Unpack(config)
    return {name: str(value) for name, value in config.items()}


def write_splits(
    rows: Iterable[tuple[str, Row]],
    fields: Sequence[str],
    folder: Path,
    *,
    part: int = 0,
    sliced: bool = False,
) -> None:
    """Writes rows as GZIP TFRecords of tf.Example, in the layout of a TFX Examples artifact.

    Args:
      rows: the split and the content of each row.
      fields: names of the text fields, in the order of `Row.fields`.
      folder: gets `Split-train/`, `Split-val/` and `Split-test/`.
      part: number of the part of the input whose rows they are; shards are named by it.
      sliced: whether `Row.slice` goes with them.
    """
    serialized = _Serializer([*fields, CATEGORY, *([SLICE] if sliced else [])])
    with contextlib.ExitStack() as stack:
        writers = {split: _writers(folder / f"Split-{split}", part, stack) for split in SPLITS}
        writer = {split: next(shards) for split, shards in writers.items()}
        count = dict.fromkeys(SPLITS, 0)
        for split, row in rows:
            if count[split] and count[split] % ROWS_PER_SHARD == 0:
                writer[split] = next(writers[split])
            values = [*row.fields, row.category, *([row.slice] if sliced else [])]
            writer[split].write(serialized(values))
            count[split] += 1


def _writers(
    folder: Path, part: int, stack: contextlib.ExitStack
) -> Iterator[tf.io.TFRecordWriter]:
    """Opens one shard after the other; a part without rows of a split leaves an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    shard = 0
    while True:
        path = folder / f"data_tfrecord-{part:05d}-{shard:05d}.gz"
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
