"""What the C library keeps of memory that was given back."""

import contextlib
import ctypes
from typing import Final

# malloc.h of glibc
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
LARGE_BYTES: Final = 256 * 1024
KEPT_BYTES: Final = 1024 * 1024


def return_large_blocks() -> None:
    """Blocks of ``LARGE_BYTES`` and above go back to the system as soon as they are free, and so
    does what is free above ``KEPT_BYTES`` at the top of the heap.

    Left alone, glibc learns from the first large block that it need not give back any (mallopt(3),
    ``M_MMAP_THRESHOLD``): lists of a megabyte that come every few seconds are then laid between
    small things that stay, and a process that holds the same amount all day grows by ten megabytes
    at a time. A C library that has no such setting is left as it is.
    """
    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
