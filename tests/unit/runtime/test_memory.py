"""What is given back to the system, as the C library counts it."""

import subprocess
import sys
from typing import Final

# A large block makes glibc keep all that are smaller from then on. The count is that of blocks
# which are mapped on their own: only these are given back whatever lies around them.
_PROGRAM: Final = """
import ctypes, sys
from runtime.memory import LARGE_BYTES, return_large_blocks

class Info(ctypes.Structure):
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    _fields_ = [(name, ctypes.c_int) for name in names]

mallinfo = ctypes.CDLL(None).mallinfo
mallinfo.restype = Info
if sys.argv[1] == "settled":
    return_large_blocks()
large = bytes(16 * LARGE_BYTES)
del large
before = mallinfo().hblks
lists = [bytes(LARGE_BYTES) for _ in range(20)]
print(mallinfo().hblks - before)
"""


def test_large_blocks_are_given_back_also_after_a_larger_one() -> None:
    def mapped(how: str) -> int:
        command = [sys.executable, "-c", _PROGRAM, how]
        return int(subprocess.check_output(command, timeout=20, text=True))

    assert mapped("settled") == 20
    assert mapped("left alone") == 0
