"""Orders on the diamond: intents -> transactions, and what the chain says -> outcomes. Pure."""
