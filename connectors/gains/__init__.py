"""Gains (gTrade): oracle prices, and what each chain and collateral adds to them."""
