"""How the model is trained, and who watches."""

from __future__ import annotations

from typing import Annotated, Literal, Union

from pydantic import Field

from prodcls_tf.sections.section import Count, Section, Share


class TrainingSettings(Section):
    """How the encoder is fine-tuned."""

    warm_start: str = Field(
        "", description="SavedModel whose weights it goes on from; empty for the encoder's own"
    )
    epochs: Union[Literal["auto"], Count] = Field(
        "auto", description="passes over the training rows, at most; `auto`: 6, fewer for many rows"
    )
    batch_size: Count = Field(32, description="rows a step, over all devices")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="kind of optimizer")
    learning_rate: Union[Literal["auto"], Annotated[float, Field(gt=0.0)]] = Field(
        "auto", description="highest rate, of the top layer; `auto` goes by the encoder's width"
    )
    layer_decay: float = Field(
        0.9, gt=0.0, le=1.0, description="each layer's rate over that of the layer above"
    )
    head_multiplier: float = Field(10.0, gt=0.0, description="the head's rate over the top layer's")
    warmup_share: Share = Field(0.1, description="share of the steps in which the rate rises")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear", description="how the rate falls after that"
    )
    weight_decay: float = Field(0.01, ge=0.0, description="of AdamW; not on bias and LayerNorm")
    clip_norm: float = Field(1.0, ge=0.0, description="largest norm of a gradient; 0 for any")
    label_smoothing: Share = Field(0.1, description="mass spread over the wrong categories")
    weight_average: Share = Field(
        0.998, description="share that a step keeps of the weights' running average; 0 for none"
    )
    class_weight_exponent: float = Field(
        0.3, ge=0.0, le=1.0, description="a category of n rows weighs n to the minus this"
    )
    patience: Count = Field(3, description="epochs without a better validation macro-F1")
    seed: int = Field(0, ge=0, description="of order, dropout and new weights")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of matrix products; `auto` is the fastest that the device has"
    )
    xla: bool = Field(True, description="compile the step with XLA where there is a GPU")
    cache_mb: int = Field(
        1024, ge=0, description="memory for the outputs of frozen layers, computed once"
    )


class TensorBoardSettings(Section):
    """What a training writes for TensorBoard beside its curves; the model does not depend on it."""

    embeddings: bool = Field(
        True, description="write vectors of validation rows for the projector, with their titles"
    )
    profile_steps: int = Field(
        0, ge=0, le=100, description="steps of training that are profiled; 0 for none"
    )


class WandbSettings(Section):
    """What Weights & Biases gets of a training; the model does not depend on it."""

    project: str = Field(
        "",
        max_length=128,
        pattern=r"^[^/\\#?%:]*$",
        description="project that gets a run of each training; empty for none",
    )
    entity: str = Field("", description="its user or team; empty for the usual one of the key")
    mode: Literal["online", "offline"] = Field(
        "online", description="`offline` keeps the run in the log folder, for `wandb sync`"
    )
    group: str = Field(
        "", max_length=128, description="group of the run; a search fills it in where it is empty"
    )
    name: str = Field("", max_length=128, description="the run's name; empty to have one made up")
