/* SPDX-License-Identifier: MIT */
/* The text form of the counts of bellhop-usage, in a file for each month, and its parser for
 * bellhopctl. Pure. */
#pragma once

#include "config/lines.h"
#include "usage/message.h"

/* Room for the name of a file: "2026-11". */
#define MONTH_NAME_MAX 16

/* Room for a name. A removed instance gets a name such as "alice~20261129T131500Z", which no
 * instance can have. */
#define ACCOUNT_NAME_MAX (USAGE_NAME_MAX + 20)

/* An unknown number. */
#define ACCOUNT_UNKNOWN UINT64_MAX

/* The usage of one instance in one month, and its last seen state. */
typedef struct Account {
        char name[ACCOUNT_NAME_MAX];
        uint64_t sent, received; /* bytes */
        uint64_t cpu_nsec;
        uint64_t requests;
        uint64_t group, group_nsec;    /* its control group, and the group's processor time */
        uint64_t reporter, n_reported; /* process that reports requests, and how many so far */
        uint64_t n_reset; /* connections whose end is unknown, or whose figures were set back */
} Account;

/* An open connection. sent and received: bytes that are already counted. */
typedef struct OpenConnection {
        uint64_t cookie;
        char name[ACCOUNT_NAME_MAX];
        uint64_t sent, received;
} OpenConnection;

typedef struct MonthHead {
        bool is_complete;
        bool is_running; /* bellhop-usage had not ended when it wrote the file */
        char boot[40];
        uint64_t router; /* process id of the last router */
        uint64_t socket; /* the socket of the kernel's messages */
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
        MonthHead head; /* set while reading */
} MonthReader;

typedef struct MonthLine {
        MonthLineKind kind;
        Account account;
        OpenConnection connection;
} MonthLine;

MonthLine month_next(MonthReader *reader);

#define MONTH_LINE_MAX 320

/* Format lines, NUL-terminated. Return the length. */
size_t month_format_head(const MonthHead *head, char ret[static MONTH_LINE_MAX]);
size_t month_format_account(const Account *account, char ret[static MONTH_LINE_MAX]);
size_t month_format_connection(const OpenConnection *connection, char ret[static MONTH_LINE_MAX]);

/* The headings of accounts and of connections. */
#define MONTH_ACCOUNTS    "[Instances]\n"
#define MONTH_CONNECTIONS "[Connections]\n"

/* Whether name is the name of a month, such as "2026-11". */
bool month_name_is_valid(const char *name);
