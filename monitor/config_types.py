"""What every part of the configuration is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Strict(BaseModel):
    """Frozen; a typo in a key is an error that names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
