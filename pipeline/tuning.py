"""The Tuner step: searches for better settings by the library, and keeps what it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from tfx import components
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner import executor
from tfx.components.tuner.component import TunerFnResult
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import Artifact

from pipeline.transformed import read_categories, read_rows
from prodcls_tf.settings import Settings
from prodcls_tf.tuning.results import Search
from prodcls_tf.tuning.search import prepare
from prodcls_tf.tuning.tuner import ProductTuner

# Beside TFX's table of the trials that succeeded: all of them, and who won.
_SEARCH = "search.json"


class TunerExecutor(executor.Executor):
    """TFX's own, which also keeps what TFX's files have no room for."""

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Searches.

        Args:
          input_dict: `examples` and `transform_graph`, of Transform.
          output_dict: `best_hyperparameters` and `tuner_results`.
          exec_properties: TFX's; for `custom_config` see `tuner_fn`.

        Raises:
          ProdclsError: the search cannot go on.
        """
        tuner = executor.search(input_dict, exec_properties, self._get_tmp_dir())
        assert isinstance(tuner, ProductTuner)
        executor.write_best_hyperparameters(tuner, output_dict)
        (results,) = output_dict["tuner_results"]
        found = tuner.found().model_dump_json(indent=2)
        Path(results.uri, _SEARCH).write_text(found, encoding="utf-8")


class Tuner(components.Tuner):
    """TFX's Tuner with the executor above."""

    EXECUTOR_SPEC = ExecutorClassSpec(TunerExecutor)


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Prepares a search over the transformed examples.

    Args:
      fn_args: TFX's arguments. Its `custom_config` holds `settings` (YAML), `searches` (the folder
        where searches keep their state) and `logs` (TensorBoard's folder for them).

    Returns:
      The tuner, which has its rows already.

    Raises:
      ProdclsError: rows or settings cannot be used, or a folder cannot be written.
    """
    config = fn_args.custom_config
    settings = Settings.parse(yaml.safe_load(config["settings"]))
    categories = read_categories(fn_args.transform_graph_path)
    train, val = (
        read_rows(files, settings.data, categories)
        for files in (fn_args.train_files, fn_args.eval_files)
    )
    tuner = prepare(settings, train, val, Path(config["searches"]), Path(config["logs"]))
    return TunerFnResult(tuner, {})


def read_search(results: Artifact) -> Search:
    """Returns what a search came to, from the artifact of its results."""
    return Search.model_validate_json(Path(results.uri, _SEARCH).read_text(encoding="utf-8"))
