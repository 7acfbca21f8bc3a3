"""The flight recorder: what the feed's sessions were given, and the same again on its clock."""
