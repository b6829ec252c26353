# SPDX-License-Identifier: MIT
"""A file system of a customer's own, as fusermount(1) mounts it, in which no file answers: hangs.py USER FOLDER."""

import ctypes
import os
import pwd
import struct
import sys

LOOKUP, GETATTR, INIT, OPENDIR = 1, 3, 26, 27
HEADER = "=IIQQIIII"
NOSUID_NODEV = 2 | 4

user, folder = pwd.getpwnam(sys.argv[1]), sys.argv[2]
kernel = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f"fd={kernel},rootmode=40750,user_id={user.pw_uid},group_id={user.pw_gid}"
if libc.mount(b"hangs", folder.encode(), b"fuse", NOSUID_NODEV, options.encode()) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
os.setgid(user.pw_gid)
os.setuid(user.pw_uid)
attributes = struct.pack("=6Q3I7I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40750, 2, user.pw_uid, user.pw_gid, 0, 4096, 0)
answers = {INIT: struct.pack("=IIIIHHIIHH8I", 7, 31, 0, 0, 0, 0, 65536, 1, 0, 0, *[0] * 8),
           GETATTR: struct.pack("=QII", 60, 0, 0) + attributes, OPENDIR: struct.pack("=QII", 0, 0, 0)}
while True:
    _, operation, unique, *_ = struct.unpack_from(HEADER, os.read(kernel, 1 << 18))
    if operation == LOOKUP:
        print("asked", flush=True)
    elif operation in answers:
        os.write(kernel, struct.pack("=IiQ", 16 + len(answers[operation]), 0, unique) + answers[operation])
    else:
        os.write(kernel, struct.pack("=IiQ", 16, -38, unique))
