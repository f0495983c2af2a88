"""Runs under each Python from 3.13: writes the first bytes of _PyRuntime, as many as asked for."""

import ctypes
import sys

count = int(sys.argv[1])
sys.stdout.buffer.write(bytes((ctypes.c_ubyte * count).in_dll(ctypes.pythonapi, "_PyRuntime")))
