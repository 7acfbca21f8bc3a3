"""One script for each latency or throughput budget. Each prints figures and their ratio to a
reference measured in the same run."""
