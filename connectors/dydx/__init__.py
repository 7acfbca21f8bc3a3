"""dYdX v4: order books, trades and market states of the indexer."""
