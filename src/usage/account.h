/* SPDX-License-Identifier: MIT */
/* Formats and parses the files in which bellhop-usage keeps its counts. There is one file for each
 * month. It has one account for each instance: a line with the counts of this month. bellhopctl
 * reads these files, too. Makes no system calls. */
#pragma once

#include "config/lines.h"
#include "usage/message.h"

/* Room for the name of a file, such as "2026-11". */
#define MONTH_NAME_MAX 16

/* Room for the name of an account. After an instance is removed, its account gets a name such as
 * "alice~20261129T131500Z", which no instance can have. */
#define ACCOUNT_NAME_MAX (USAGE_NAME_MAX + 20)

/* This value stands for an unknown number. */
#define ACCOUNT_UNKNOWN UINT64_MAX

/* The usage of one instance in one month. The fields group, group_nsec, reporter and n_reported are
 * the last seen state: which counters of the instance were read last, and their values. When a
 * counter has grown, only the increase is added. */
typedef struct Account {
        char name[ACCOUNT_NAME_MAX];
        uint64_t sent, received; /* bytes */
        uint64_t cpu_nsec;
        uint64_t requests;
        uint64_t group, group_nsec;    /* control group of the instance, and its processor time */
        uint64_t reporter, n_reported; /* pid that reports requests, and its last number */
        uint64_t n_reset; /* connections whose end was not seen, or whose figures the kernel has set
                             to 0 */
} Account;

/* An open connection. The account with this name already contains the bytes in sent and received.
 */
typedef struct OpenConnection {
        uint64_t cookie;
        char name[ACCOUNT_NAME_MAX];
        uint64_t sent, received;
} OpenConnection;

typedef struct MonthHead {
        bool is_complete;
        bool is_running; /* bellhop-usage continued to run after it wrote the file */
        char boot[40];
        uint64_t router; /* process id of the last router */
        uint64_t socket; /* inode of the socket on which the kernel reports ends of connections */
} MonthHead;

typedef enum MonthLineKind {
        MONTH_END,
        MONTH_HEAD_LINE,
        MONTH_ACCOUNT,
        MONTH_CONNECTION,
        MONTH_INVALID,
} MonthLineKind;

typedef struct MonthReader {
        LineReader lines;
        enum { MONTH_IN_NOTHING, MONTH_IN_HEAD, MONTH_IN_ACCOUNTS, MONTH_IN_CONNECTIONS } section;
        MonthHead head; /* filled while the head is read */
} MonthReader;

typedef struct MonthLine {
        MonthLineKind kind;
        Account account;
        OpenConnection connection;
} MonthLine;

MonthLine month_next(MonthReader *reader);

#define MONTH_LINE_MAX 320

/* These functions write one or more lines and a NUL. They return the length without the NUL. */
size_t month_format_head(const MonthHead *head, char ret[static MONTH_LINE_MAX]);
size_t month_format_account(const Account *account, char ret[static MONTH_LINE_MAX]);
size_t month_format_connection(const OpenConnection *connection, char ret[static MONTH_LINE_MAX]);

/* The headings above the accounts, and above the connections. */
#define MONTH_ACCOUNTS    "[Instances]\n"
#define MONTH_CONNECTIONS "[Connections]\n"

/* Whether name is the name of a month, such as "2026-11". */
bool month_name_is_valid(const char *name);
