# SPDX-License-Identifier: MIT
"""Kernel settings and the kernel's log, which the template closes without the settings that are named after them."""


def test_kernel_settings_and_log_are_out_of_reach(box, carol):
    box.start_customer(carol)
    box.write_page(carol, "kernel.cgi", """
        ls -d /proc/sys /proc/kmsg /proc/sysrq-trigger /proc/irq /proc/kallsyms /dev/kmsg 2>/dev/null
        echo "writable below /sys: $(awk '$2 ~ "^/sys" && $4 !~ "^ro(,|$)" {print $2}' /proc/self/mounts)"
        /usr/bin/python3 -c 'import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
print("syslog", libc.klogctl(3, ctypes.create_string_buffer(99), 99), errno.errorcode[ctypes.get_errno()])'
    """)
    assert box.curl("http://carol.example/kernel.cgi").splitlines() == ["writable below /sys: ", "syslog -1 EPERM"]
