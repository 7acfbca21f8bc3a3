"""A small client of perptape: sign in, read quotes, follow rooms."""

from perptape_client.client import Client
from perptape_client.models import Grant, Problem, Quote

__all__ = ["Client", "Grant", "Problem", "Quote"]
