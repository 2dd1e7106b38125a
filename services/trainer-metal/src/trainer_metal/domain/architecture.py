"""Nets that read a window of sessions: what the catalogue may ask for, and the stages that it stands for."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cbi_common.timeseries.nets.stage import Stage

Kind = Literal["lstm", "gru_attention", "lstm2", "gru2", "tcn", "cnn_lstm", "attention"]

LARGEST_BATCH: dict[Kind, int] = {
    "lstm": 64,
    "gru_attention": 64,
    "cnn_lstm": 64,
    "lstm2": 32,
    "gru2": 32,
    "tcn": 32,
    "attention": 16,
}
"""What 16 GB shared by a processor and its accelerator hold (DOMAIN section 5)."""

LAYERS_OF: dict[Kind, int] = {"lstm": 1, "gru_attention": 1, "cnn_lstm": 2, "lstm2": 2, "gru2": 2}
"""How many ``units`` a kind takes where the number is fixed."""


class SequenceParams(BaseModel):
    """Settings of a sequence net in the catalogue.

    Attributes
    ----------
    kind : Kind
    units : widths from the input on: cells of recurrent layers, filters of convolutions (one entry for each dilation of
        a TCN), width of the attention
    window : sessions that the net reads
    stride : a training window ends at every ``stride``-th session, counted back from the refit
    kernel : sessions that a convolution spans
    heads : of the attention
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    units: tuple[Annotated[int, Field(ge=1, le=256)], ...] = Field(min_length=1, max_length=8)
    window: int = Field(ge=8, le=256)
    stride: int = Field(default=1, ge=1, le=63)
    epochs: int = Field(ge=1, le=200)
    batch: int = Field(ge=1, le=64)
    learning_rate: float = Field(gt=0, le=0.1)
    l2: float = Field(default=0.0, ge=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    kernel: int = Field(default=3, ge=2, le=16)
    heads: int = Field(default=2, ge=1, le=4)

    @model_validator(mode="after")
    def _fits_the_machine(self) -> Self:
        if self.batch > LARGEST_BATCH[self.kind]:
            raise ValueError(f"batch {self.batch} of a {self.kind} is above {LARGEST_BATCH[self.kind]}")
        expected = LAYERS_OF.get(self.kind, len(self.units))
        if len(self.units) != expected:
            raise ValueError(f"a {self.kind} takes {expected} units, not {len(self.units)}")
        if self.kind == "attention" and (len(set(self.units)) > 1 or self.units[0] % self.heads):
            raise ValueError(f"attention needs one width for all layers that {self.heads} heads divide")
        return self


def stages_of(params: SequenceParams) -> tuple[Stage, ...]:
    """Return the stages between the window and the heads.

    LSTM: Hochreiter and Schmidhuber (1997). GRU: Cho et al. (2014). Attention over the states: Bahdanau et al. (2015).
    TCN with dilated causal convolutions: Bai, Kolter and Koltun (2018). Encoder: Vaswani et al. (2017).
    """
    first, last = params.units[0], params.units[-1]
    if params.kind == "tcn":
        blocks = (
            Stage("residual_conv", width, {"kernel": params.kernel, "dilation": 2**i})
            for i, width in enumerate(params.units)
        )
        return (*blocks, Stage("last"))
    if params.kind == "attention":
        encoders = (Stage("encoder", width, {"heads": params.heads}) for width in params.units)
        return (Stage("position", first), *encoders, Stage("mean"))
    recurrent: dict[Kind, tuple[Stage, ...]] = {
        "lstm": (Stage("lstm", first), Stage("last")),
        "lstm2": (Stage("lstm", first), Stage("lstm", last), Stage("last")),
        "gru2": (Stage("gru", first), Stage("gru", last), Stage("last")),
        "gru_attention": (Stage("gru", first), Stage("pool", first)),
        "cnn_lstm": (
            Stage("conv", first, {"kernel": params.kernel, "dilation": 1}),
            Stage("lstm", last),
            Stage("last"),
        ),
    }
    return recurrent[params.kind]
