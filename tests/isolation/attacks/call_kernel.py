"""Make each (label, number, arguments) system call with small numbers for arguments."""

import ctypes
import os

from attempt import attempt, given, report

libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, arguments: list[int]) -> None:
    values = (ctypes.c_long(value) for value in (*arguments, *(0,) * (6 - len(arguments))))
    if libc.syscall(ctypes.c_long(number), *values) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


for label, number, arguments in given():
    attempt(label, lambda number=number, arguments=arguments: call(number, arguments))
report()
