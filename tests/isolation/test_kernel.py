# SPDX-License-Identifier: MIT
"""Kernel settings and the kernel's log, which the template closes without the settings that are named after them."""


def test_kernel_settings_and_log_are_out_of_reach(box, carol):
    box.start_customer(carol)
    box.write_page(carol, "kernel.cgi", """
        for file in /proc/kmsg /proc/sysrq-trigger /proc/kcore /proc/locks /proc/key-users /proc/fs/* /dev/kmsg; do
            head -c 1 $file >/dev/null 2>&1 && echo "can read $file"
        done
        find /proc/sys /proc/irq -writable ! -type l ! -name ns_last_pid 2>/dev/null # which asks for a capability
        echo 4000 2>/dev/null > /proc/sys/kernel/ns_last_pid && echo "has set a pid"
        grep -v "^0* " /proc/kallsyms | head -n 1
        echo "writable below /sys: $(awk '$2 ~ "^/sys" && $4 !~ "^ro(,|$)" {print $2}' /proc/self/mounts)"
        /usr/bin/python3 -c 'import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
print("syslog", libc.klogctl(3, ctypes.create_string_buffer(99), 99), errno.errorcode[ctypes.get_errno()])'
    """)
    assert box.curl("http://carol.example/kernel.cgi").splitlines() == ["writable below /sys: ", "syslog -1 EPERM"]


def test_what_programs_ask_of_the_machine(box, carol):
    """Languages and databases adapt to it, and Debian's own tools show it."""
    box.start_customer(carol)
    box.write_page(carol, "asks.cgi", """
        for file in meminfo cpuinfo loadavg stat uptime version sys/vm/overcommit_memory sys/net/core/somaxconn \\
                sys/kernel/osrelease sys/kernel/pid_max sys/fs/file-max sys/kernel/random/boot_id; do
            [ -s /proc/$file ] || [ -n "$(head -c 1 /proc/$file)" ] || echo "no /proc/$file"
        done
        nproc; free -b | awk '/^Mem:/ {print $2}'
        echo "others: $(ls -d /proc/[0-9]* | while read -r process; do stat -c %u $process; done | grep -vxc $(id -u))"
    """)
    memory = box.run("sh", "-c", "free -b | awk '/^Mem:/ {print $2}'").strip()
    assert box.curl("http://carol.example/asks.cgi").split("\n")[:3] == [box.run("nproc").strip(), memory, "others: 0"]


def test_gives_files_to_its_own_groups_alone(box, carol):
    """As the kernel lets any user."""
    box.shell("groupadd team; groupadd strangers; usermod -aG team carol")
    box.start_customer(carol)
    box.write_page(carol, "gives.cgi", """
        touch own
        for group in team strangers root bellhop; do
            chgrp $group own 2>/dev/null; echo "$(stat -c %G own)"
        done
        chown root own 2>/dev/null; chown bob own 2>/dev/null; stat -c %U own
        chgrp -h team /srv/www 2>/dev/null || echo not others
    """)
    try:
        assert box.curl("http://carol.example/gives.cgi").split("\n")[:6] == ["team"] * 4 + ["carol", "not others"]
    finally:
        box.shell("gpasswd -d carol team; groupdel team; groupdel strangers")
