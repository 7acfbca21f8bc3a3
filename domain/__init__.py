"""Pure types and formulas: no clock, no I/O, standard library and numpy only."""
