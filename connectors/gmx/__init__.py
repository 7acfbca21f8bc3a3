"""GMX v2 on Arbitrum: oracle prices of its keepers, state of its pools, events of its contracts."""
