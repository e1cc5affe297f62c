"""Apache Beam on this machine, without what TFX and Beam add for clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from tfx.dsl.compiler import placeholder_utils
from tfx.orchestration.portable.beam_executor_operator import BeamExecutorOperator

_LOCAL = (None, "DirectRunner", "FnApiRunner")


def local_pipeline(arguments: Sequence[str]) -> beam.Pipeline:
    """Makes a pipeline that runs in this process, or in others of this machine.

    Args:
      arguments: options of Beam, such as `--direct_num_workers=2`.
    """
    return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(list(arguments)))


class LocalBeamOperator(BeamExecutorOperator):
    """Gives a Beam-based step its pipeline.

    Beam's DirectRunner first looks for Prism, a runner in Go which it would download, and TFX
    packs itself as a source distribution for the workers as soon as any option is set. Neither is
    of use in one process, so a local run takes the runner that DirectRunner falls back to.
    Options that name another runner are handed on as they are.
    """

    beam_pipeline_args: list[Any]

    def run_executor(
        self,
        execution_info: Any,
        make_beam_pipeline_fn: Callable[[], beam.Pipeline] | None = None,
    ) -> Any:
        """Runs the step's executor.

        Args:
          execution_info: TFX's description of the execution.
          make_beam_pipeline_fn: makes the pipeline; None to choose by the options.

        Returns:
          The executor's output.
        """
        context = placeholder_utils.ResolutionContext(
            exec_info=execution_info, executor_spec=self._executor_spec
        )
        arguments = [
            placeholder_utils.resolve_placeholder_expression(argument, context)
            for argument in self.beam_pipeline_args
        ]
        if PipelineOptions(arguments).view_as(StandardOptions).runner in _LOCAL:
            self.beam_pipeline_args = []

            def make_beam_pipeline_fn() -> beam.Pipeline:
                return local_pipeline(arguments)

        return super().run_executor(execution_info, make_beam_pipeline_fn)
