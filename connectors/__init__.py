"""Venues: their wire formats turned into domain events, one folder each."""
