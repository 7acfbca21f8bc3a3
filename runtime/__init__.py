"""Plumbing without any business rule: settings, clocks, logs, metrics, tasks, Redis names, wire."""
