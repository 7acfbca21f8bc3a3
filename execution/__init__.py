"""From accepted orders to transactions and outcomes."""
