#!/usr/bin/env python3
"""Runs a command under a filter of system calls that kills it at the first one that could write into
another process, stop it, or open a file for writing: no_writing.py COMMAND [ARGUMENT]...

What is already open stays writable: the command's standard output is how it says anything. Who is
killed ends by SIGSYS. The filter is the kernel's (seccomp), so nothing has to be traced, and nothing
that the command does escapes it. openat2, whose flags a filter cannot see, fails as on a kernel that
has none. x86-64 alone.
"""

import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL, ALLOW, FAIL = 0x80000000, 0x7FFF0000, 0x00050000
ARCH_X86_64 = 0xC000003E
X32_BIT = 0x40000000
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# In struct seccomp_data; an argument is two words, the low one first.
AT_NUMBER, AT_ARCH, AT_ARGUMENTS = 0, 4, 16

# Whatever reaches into other processes, by its number (arch/x86/entry/syscalls/syscall_64.tbl).
FORBIDDEN = {
    "ptrace": 101, "process_vm_writev": 311, "kcmp": 312, "process_madvise": 440, "pidfd_getfd": 438,
    "process_mrelease": 448, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
    "rt_tgsigqueueinfo": 297, "pidfd_send_signal": 424, "perf_event_open": 298, "bpf": 321,
    "creat": 85, "pwrite64": 18, "pwritev": 296, "pwritev2": 328,
    "open_by_handle_at": 304, "io_uring_setup": 425, "move_pages": 279, "migrate_pages": 256,
    "truncate": 76, "sched_setaffinity": 203, "setpriority": 141,
}
OPENAT2 = 437
# {number: which argument holds the flags}
OPENS = {2: 1, 257: 2}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def step(code, operand, if_true=0, if_false=0):
    return struct.pack("=HBBI", code, if_true, if_false, operand)


def program():
    steps = [step(LOAD, AT_ARCH), step(EQUAL, ARCH_X86_64, 1, 0), step(RETURN, KILL)]
    steps += [step(LOAD, AT_NUMBER), step(AT_LEAST, X32_BIT, 0, 1), step(RETURN, KILL)]
    for number in FORBIDDEN.values():
        steps += [step(EQUAL, number, 0, 1), step(RETURN, KILL)]
    steps += [step(EQUAL, OPENAT2, 0, 1), step(RETURN, FAIL | errno.ENOSYS)]
    for number, argument in OPENS.items():
        flags = step(LOAD, AT_ARGUMENTS + 8 * argument)
        steps += [step(EQUAL, number, 0, 4), flags, step(ANY_BIT, WRITING, 0, 1), step(RETURN, KILL),
                  step(RETURN, ALLOW)]
    return steps + [step(RETURN, ALLOW)]


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def apply():
    steps = program()
    filtered = Program(len(steps), b"".join(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0) != 0):
        raise OSError(ctypes.get_errno(), "this kernel takes no filter")


if __name__ == "__main__":
    apply()
    os.execvp(sys.argv[1], sys.argv[1:])
