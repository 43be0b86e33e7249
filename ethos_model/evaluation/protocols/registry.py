"""All protocols by their name on the command line."""

from __future__ import annotations

from typing import Final

from ethos_model.evaluation.protocols import (
    aflw2000,
    cofw68,
    merl_rav,
    vw300,
    w300,
    wflw,
)
from ethos_model.evaluation.protocols.protocol import Protocol

PROTOCOLS: Final[dict[str, Protocol]] = {
    protocol.name: protocol
    for protocol in (
        w300.PUBLIC,
        w300.PRIVATE,
        cofw68.PROTOCOL,
        merl_rav.PROTOCOL,
        wflw.PROTOCOL,
        aflw2000.PROTOCOL,
        vw300.PROTOCOL,
    )
}
