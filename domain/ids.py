"""Identifiers. Plain strings at run time, distinct types for the checker."""

from typing import NewType

VenueId = NewType("VenueId", str)
"""Lower-case venue name, e.g. ``dydx``; the registry in ``connectors`` lists them."""

MarketId = NewType("MarketId", str)
"""Canonical market, ``BASE-QUOTE``, e.g. ``BTC-USD``."""

SourceId = NewType("SourceId", str)
"""One connection or poll of a venue, e.g. ``dydx:ws:0``. Liveness is known per source."""
