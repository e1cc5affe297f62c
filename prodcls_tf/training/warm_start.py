"""A training that goes on from a former model instead of the pretrained encoder.

New products, the same shop: the encoder has learned how it writes, and the head what its
categories are. Both are taken over from the SavedModel that serves; categories may come and go.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from prodcls_tf.errors import ModelError, SettingsError
from prodcls_tf.export.saved_model import EXTRA_FOLDER, SETTINGS_FILE
from prodcls_tf.model.deep_branch import DeepBranch
from prodcls_tf.settings import Settings

# Of what a deep branch is made. Weights that were trained for another one are of no use.
_SAME = ("encoder.name", "encoder.pooling", "head.hidden")

_CLASSIFIER = ("classifier-kernel", "classifier-bias")


@dataclass(frozen=True)
class FormerModel:
    """What is taken over of a model.

    Attributes:
      folder: of its SavedModel.
      categories: its category paths by number.
      weights: those of its deep branch, by name.

    Example:
      >>> former = FormerModel.read(Path("runs/mine/serving/prodcls/3"))  # doctest: +SKIP
      >>> former.start_encoder(branch)  # doctest: +SKIP
    """

    folder: Path
    categories: Sequence[str]
    weights: Mapping[str, np.ndarray] = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> FormerModel:
        """Reads a model.

        Args:
          folder: of a SavedModel that prodcls exported.

        Raises:
          ModelError: it is none, or one of an older version.
        """
        try:
            reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
            keys = [key for key in reader.get_variable_to_shape_map() if key.startswith(_WEIGHTS)]
            weights = {_name(key): reader.get_tensor(key) for key in keys}
            paths = reader.get_tensor(f"categories/{_VALUE}")
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise _unreadable(folder, str(error).partition("\n")[0]) from None
        if not weights:
            raise _unreadable(folder, "none of its weights have names")
        return cls(folder, [path.decode("utf-8") for path in paths], weights)

    def start_encoder(self, branch: DeepBranch) -> None:
        """Gives all weights but the classifier's to a branch.

        Args:
          branch: changed in place.

        Raises:
          ModelError: the weights are those of another encoder.
        """
        wanted = {
            name: variable
            for name, variable in branch.named_variables.items()
            if name not in _CLASSIFIER
        }
        for name, variable in wanted.items():
            shape = self.weights[name].shape if name in self.weights else "nothing"
            if shape != tuple(variable.shape):
                raise ModelError(
                    "A training can go on from a model with the same encoder. Received "
                    f"{self.folder}, which has {shape} for {name} of {tuple(variable.shape)}. "
                    "Name the encoder that it was trained with, or leave out the warm start."
                )
        for name, variable in wanted.items():
            variable.assign(self.weights[name])

    def start_head(
        self,
        branch: DeepBranch,
        categories: Sequence[str],
        vectors: np.ndarray,
        labels: np.ndarray,
    ) -> None:
        """Gives the classifier what the former one knew, and a guess for each new category.

        The guess is the mean direction of the category's rows, as long as the others' weights are
        on average (imprinting, Qi et al. 2018). A category that is gone is forgotten.

        Args:
          branch: its classifier is set; has the former encoder already.
          categories: the new paths by number.
          vectors: float32 [rows, width], pooled by that encoder.
          labels: int [rows], numbers of the new paths.
        """
        kernel, bias = (self.weights[name] for name in _CLASSIFIER)
        former = {path: number for number, path in enumerate(self.categories)}
        inputs = branch.head_inputs(tf.constant(vectors)).numpy()
        length = float(np.linalg.norm(kernel, axis=0).mean())
        columns, biases = [], []
        for number, path in enumerate(categories):
            if path in former:
                columns.append(kernel[:, former[path]])
                biases.append(bias[former[path]])
                continue
            center = inputs[labels == number].sum(axis=0)
            columns.append(center * (length / max(float(np.linalg.norm(center)), 1e-12)))
            biases.append(bias.mean())
        branch.bert.classifier.set_weights([np.stack(columns, axis=1), np.array(biases)])


def check_fit(settings: Settings) -> None:
    """Refuses a warm start whose model was made of something else; loads no weights.

    Args:
      settings: of the training; nothing is checked where it begins afresh.

    Raises:
      ModelError: the former model has no settings that can be read.
      SettingsError: it was trained with another encoder, pooling or head.
    """
    if not settings.training.warm_start:
        return
    folder = Path(settings.training.warm_start)
    path = folder / EXTRA_FOLDER / SETTINGS_FILE
    if not path.is_file():
        raise _unreadable(folder, f"it lacks {EXTRA_FOLDER}/{SETTINGS_FILE}")
    now, before = settings.model_dump(), Settings.stored(path).model_dump()
    for name in _SAME:
        section, key = name.split(".")
        if now[section][key] != before[section][key]:
            raise SettingsError(
                f"A training that goes on from a model needs the same {name}. Received "
                f"{json.dumps(now[section][key])}, where {folder} has "
                f"{json.dumps(before[section][key])}. Use --set {name}={before[section][key]}, or "
                "leave out the warm start."
            )


_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"
_WEIGHTS = "weights/deep-"


def _name(key: str) -> str:
    return key.removeprefix(_WEIGHTS).removesuffix(f"/{_VALUE}")


def _unreadable(folder: Path, why: str) -> ModelError:
    return ModelError(
        "A training can go on from a SavedModel that this version of prodcls exported. Received "
        f"{folder}: {why}. Name another version's folder, or leave out the warm start."
    )
