"""What Gains charges and fills at, computed as its contracts do. Pure, and in integers.

Prices are e10; ``_p`` are percentages in units of 1e-10 percent, positive moving a price up;
``_e3``, ``_e8``, ``_e10``, ``_e18`` say the scale of everything else. Amounts without a scale in
their name are base units of the collateral token. Divisions truncate toward zero unless a name says
otherwise.
Source: the verified gTrade contracts (v10.2 depth bands, public copy of 2026-03-10) run on a local
EVM; every result of theirs is in ``tests/data/gains/vectors-contract``.
"""
