/* SPDX-License-Identifier: MIT */
/* Two BPF programs in the kernel count the sockets of a control group: one runs when a socket is
 * made, the other when a socket is released. This file contains the calls and instructions of BPF
 * for which the C library has no names. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "firewall/sockets.h"
#include "util/cleanup.h"

#define SLICE "/sys/fs/cgroup/bellhop.slice"

/* The maximum number of sockets of all customers together, and the maximum number of customers. */
#define TABLE_MAX 1000000

/* --- instructions --- */

#define INSTRUCTION(...) ((struct bpf_insn){ .code = __VA_ARGS__ })
#define MOVE(to, from)   INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from))
#define SET(to, value)   INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value))
#define LOAD(bits, to, from, at) \
        INSTRUCTION(BPF_LDX | BPF_MEM | (bits), .dst_reg = (to), .src_reg = (from), .off = (at))
#define STORE(bits, at, from)                                                             \
        INSTRUCTION(BPF_STX | BPF_MEM | (bits), .dst_reg = BPF_REG_10, .src_reg = (from), \
                    .off = (at))
#define ADD_TO(at, from)                                                               \
        INSTRUCTION(BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = (at), .src_reg = (from), \
                    .imm = BPF_ADD)
#define SKIP_IF(what, reg, value, n) \
        INSTRUCTION(BPF_JMP | (what) | BPF_K, .dst_reg = (reg), .imm = (value), .off = (n))
#define CALL(function) INSTRUCTION(BPF_JMP | BPF_CALL, .imm = BPF_FUNC_##function)
#define EXIT           INSTRUCTION(BPF_JMP | BPF_EXIT)
/* Sets a register to a table. Consists of two instructions. */
#define TABLE(to, fd)                                                                         \
        INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (to), .src_reg = BPF_PSEUDO_MAP_FD, \
                    .imm = (fd)),                                                             \
                INSTRUCTION(0)
/* Sets a register to the address of a variable. Consists of two instructions. */
#define ADDRESS(to, at) \
        MOVE(to, BPF_REG_10), INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (to), .imm = (at))

/* The offsets of variables on the stack. */
#define USER   (-4)  /* 4 bytes */
#define COOKIE (-16) /* 8 bytes: identifies the socket */
#define ZERO   (-24) /* 8 bytes */

/* --- calls --- */

static int sockets_bpf(int command, union bpf_attr *attributes)
{
        const long r = syscall(SYS_bpf, command, attributes, sizeof(*attributes));

        return r < 0 ? -errno : (int)r;
}

static int sockets_make_table(uint32_t key_size, uint32_t value_size)
{
        return sockets_bpf(BPF_MAP_CREATE, &(union bpf_attr){ .map_type = BPF_MAP_TYPE_HASH,
                                                              .key_size = key_size,
                                                              .value_size = value_size,
                                                              .max_entries = TABLE_MAX,
                                                              .map_flags = BPF_F_NO_PREALLOC });
}

static int sockets_attach(int slice, enum bpf_attach_type type, const struct bpf_insn program[],
                          size_t n)
{
        _cleanup_close_ int fd =
                sockets_bpf(BPF_PROG_LOAD,
                            &(union bpf_attr){ .prog_type = BPF_PROG_TYPE_CGROUP_SOCK,
                                               .expected_attach_type = type,
                                               .insns = (uintptr_t)program,
                                               .insn_cnt = (uint32_t)n,
                                               .license = (uintptr_t) "MIT" });

        if (fd < 0)
                return fd;
        return sockets_bpf(BPF_LINK_CREATE,
                           &(union bpf_attr){ .link_create = { .prog_fd = (uint32_t)fd,
                                                               .target_fd = (uint32_t)slice,
                                                               .attach_type = type } });
}

/* --- programs --- */

static int sockets_attach_release(int slice, int counts, int owners)
{
        const struct bpf_insn program[] = {
                CALL(get_socket_cookie),
                STORE(BPF_DW, COOKIE, BPF_REG_0),
                TABLE(BPF_REG_1, owners),
                ADDRESS(BPF_REG_2, COOKIE),
                CALL(map_lookup_elem),
                SKIP_IF(BPF_JEQ, BPF_REG_0, 0, 15),
                LOAD(BPF_W, BPF_REG_1, BPF_REG_0, 0),
                STORE(BPF_W, USER, BPF_REG_1),
                TABLE(BPF_REG_1, owners),
                ADDRESS(BPF_REG_2, COOKIE),
                CALL(map_delete_elem),
                TABLE(BPF_REG_1, counts),
                ADDRESS(BPF_REG_2, USER),
                CALL(map_lookup_elem),
                SKIP_IF(BPF_JEQ, BPF_REG_0, 0, 2),
                SET(BPF_REG_1, -1),
                ADD_TO(BPF_REG_0, BPF_REG_1),
                SET(BPF_REG_0, 1),
                EXIT,
        };

        return sockets_attach(slice, BPF_CGROUP_INET_SOCK_RELEASE, program, ELEMENTSOF(program));
}

static int sockets_attach_create(int slice, int counts, int owners, uint32_t max)
{
        const struct bpf_insn program[] = {
                MOVE(BPF_REG_6, BPF_REG_1),
                CALL(get_current_uid_gid),
                STORE(BPF_W, USER, BPF_REG_0),
                SET(BPF_REG_1, 0),
                STORE(BPF_DW, ZERO, BPF_REG_1),
                /* Adds a count of 0 for the user, or fails if the user already has a count. */
                TABLE(BPF_REG_1, counts),
                ADDRESS(BPF_REG_2, USER),
                ADDRESS(BPF_REG_3, ZERO),
                SET(BPF_REG_4, BPF_NOEXIST),
                CALL(map_update_elem),
                TABLE(BPF_REG_1, counts),
                ADDRESS(BPF_REG_2, USER),
                CALL(map_lookup_elem),
                SKIP_IF(BPF_JEQ, BPF_REG_0, 0, 19),
                MOVE(BPF_REG_7, BPF_REG_0),
                LOAD(BPF_DW, BPF_REG_1, BPF_REG_7, 0),
                SKIP_IF(BPF_JGE, BPF_REG_1, (int32_t)max, 16),
                MOVE(BPF_REG_1, BPF_REG_6),
                CALL(get_socket_cookie),
                STORE(BPF_DW, COOKIE, BPF_REG_0),
                TABLE(BPF_REG_1, owners),
                ADDRESS(BPF_REG_2, COOKIE),
                ADDRESS(BPF_REG_3, USER),
                SET(BPF_REG_4, BPF_ANY),
                CALL(map_update_elem),
                SKIP_IF(BPF_JNE, BPF_REG_0, 0, 4),
                SET(BPF_REG_1, 1),
                ADD_TO(BPF_REG_7, BPF_REG_1),
                SET(BPF_REG_0, 1),
                EXIT,
                SET(BPF_REG_0, 0),
                EXIT,
        };

        return sockets_attach(slice, BPF_CGROUP_INET_SOCK_CREATE, program, ELEMENTSOF(program));
}

/* The tables exist as long as the programs. The programs exist as long as this process, because it
 * never closes the two descriptors of their links. */
int sockets_limit(uint32_t max)
{
        _cleanup_close_ int slice = open(SLICE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_close_ int counts = slice < 0 ? -errno : sockets_make_table(4, 8);
        _cleanup_close_ int owners = counts < 0 ? counts : sockets_make_table(8, 4);
        int r = owners < 0 ? owners : sockets_attach_release(slice, counts, owners);

        if (r >= 0)
                r = sockets_attach_create(slice, counts, owners, max);
        return r < 0 ? r : 0;
}
