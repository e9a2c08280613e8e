"""The recipe of a codec: what it hears, what its network looks like, what it is told to keep, and for how long."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Speed = Annotated[float, Field(ge=0.25, le=4)]

# More entries than these do not fit the uint16 in which a corpus holds codes.
LARGEST_CODEBOOK = 65_536
# A crop is a whole number of codes, and long enough for the longest window of the losses.
_SAMPLES_PER_CODE, _SHORTEST_CROP = 320, 3_200


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NetworkSettings(_Frozen):
    """Shape of the network; `levels` of the quantiser multiply to the codebook size."""

    levels: tuple[Annotated[int, Field(ge=2, le=1000)], ...] = (8, 8, 8, 8)
    encoder_width: Count = 192
    encoder_blocks: Count = 4
    decoder_width: Count = 288
    decoder_blocks: Count = 5
    fine_width: Count = 256
    fine_blocks: Count = 2

    @property
    def codebook_size(self) -> int:
        return math.prod(self.levels)

    def to_dict(self) -> dict[str, Any]:
        return self.model_dump(mode="json")

    @model_validator(mode="after")
    def _fits(self) -> NetworkSettings:
        if not self.levels or self.codebook_size > LARGEST_CODEBOOK:
            raise ValueError(
                f"levels {list(self.levels)} make {self.codebook_size:,} codes; a codebook has 2 to {LARGEST_CODEBOOK:,}"
            )
        return self


class Variation(_Frozen):
    """What is done to the audio, so that the codec meets more than it was given. Ranges are drawn from evenly.

    speed: a share `speed_share` of the files is played this much faster, pitch and all; once, when they are read.
    level_db: a share `level_share` of the crops is made louder by so many dB.
    noise_db: into a share `noise_share` of the crops noise goes so many dB below their own level, where the encoder hears it and
        the target has none: codes are of the speech.
    """

    speed: tuple[Speed, Speed] = (0.92, 1.09)
    speed_share: Share = 0.4
    level_db: tuple[float, float] = (-8.0, 4.0)
    level_share: Share = 0.5
    noise_db: tuple[float, float] = (20.0, 45.0)
    noise_share: Share = 0.4

    @model_validator(mode="after")
    def _ordered(self) -> Variation:
        for name in ("speed", "level_db", "noise_db"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} [{low:g}, {high:g}] is upside down; the lower end comes first")
        return self


class LossWeights(_Frozen):
    """How much each of the losses counts (vaak/codec/losses.py, vaak/codec/prior.py).

    `cost` is the price of a nat: what a code costs a small model that foresees it from those before. `steady` holds the codes
    of the same speech, a quarter of a frame later and without noise, together.
    """

    mel: Weight = 3.0
    linear: Weight = 1.0
    pitch: Weight = 3.0
    voicing: Weight = 0.5
    steady: Weight = 0.15
    cost: Weight = 0.08
    adversarial: Weight = 0.3
    feature: Weight = 1.0


class CriticSettings(_Frozen):
    """The critic joins after the share `joins` of the steps (1: never), and stays; `width` is that of its first layer."""

    joins: Share = 0.65
    lr: Positive = 4e-4
    width: Count = 16


class CodecRecipe(_Frozen):
    """All that decides a codec but the bytes of the audio.

    audio: files, folders, and lists (.jsonl, one {"path": ...} a line); `held_out` likewise, measured every `measure_every`
        steps and never trained on.
    start_from: the folder of a codec whose weights to begin with.
    crop: samples of a training item at 16 kHz. `warmup` steps up to `peak_lr`, level, then the last `decay` share of the steps
        down to a twentieth.
    priced_from: the share of the steps after which `losses.cost` and `losses.steady` count.
    ema: how much of the averaged weights stays at each step; the averaged ones are the codec.
    """

    name: str
    audio: tuple[str, ...]
    held_out: tuple[str, ...] = ()
    start_from: str | None = None
    network: NetworkSettings = NetworkSettings()
    steps: Count = 4000
    batch: Count = 8
    crop: Count = 20_480
    peak_lr: Positive = 1.5e-3
    warmup: Count = 100
    decay: Share = 0.35
    weight_decay: Weight = 0.01
    grad_clip: Positive = 2.0
    priced_from: Share = 0.15
    ema: Share = 0.998
    critic: CriticSettings = CriticSettings()
    losses: LossWeights = LossWeights()
    variation: Variation = Variation()
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    seed: Annotated[int, Field(ge=0)] = 0
    save_every: Count = 250
    measure_every: Count = 500

    @model_validator(mode="after")
    def _whole_codes(self) -> CodecRecipe:
        if self.crop % _SAMPLES_PER_CODE or self.crop < _SHORTEST_CROP:
            raise ValueError(
                f"crop {self.crop} is not a multiple of {_SAMPLES_PER_CODE} samples from {_SHORTEST_CROP} on; change it"
            )
        if not self.audio:
            raise ValueError("audio is empty; name files, folders or lists of recordings")
        return self
