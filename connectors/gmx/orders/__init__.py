"""From an intent to the transaction that GMX takes, and from its events back to outcomes. Pure."""
