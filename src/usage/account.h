/* SPDX-License-Identifier: MIT */
/* The text in which bellhop-usage keeps what it has counted, a file for each month, and how
 * bellhopctl reads it. Pure. */
#pragma once

#include "config/lines.h"
#include "usage/message.h"

/* Of the files: "2026-11". */
#define MONTH_NAME_MAX 16

/* A name; for one that has ended, "alice~20261129T131500Z": never that of an instance. */
#define ACCOUNT_NAME_MAX (USAGE_NAME_MAX + 20)

/* A number that nobody could say. */
#define ACCOUNT_UNKNOWN UINT64_MAX

/* What one instance has used in one month, and what was seen of it last. */
typedef struct Account {
        char name[ACCOUNT_NAME_MAX];
        uint64_t sent, received; /* bytes */
        uint64_t cpu_nsec;
        uint64_t requests;
        uint64_t group, group_nsec;    /* its control group, and the processor time of that */
        uint64_t reporter, n_reported; /* the process that reports requests, and how many */
        uint64_t n_reset; /* connections whose end is not known, or whose figures were set back */
} Account;

/* A connection that is open, and what is counted of it already. */
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
        uint64_t socket; /* which one the kernel's messages came by */
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
        MonthHead head; /* filled in as it is read */
} MonthReader;

typedef struct MonthLine {
        MonthLineKind kind;
        Account account;
        OpenConnection connection;
} MonthLine;

MonthLine month_next(MonthReader *reader);

#define MONTH_LINE_MAX 320

/* Lines, NUL-terminated. Return their length. */
size_t month_format_head(const MonthHead *head, char ret[static MONTH_LINE_MAX]);
size_t month_format_account(const Account *account, char ret[static MONTH_LINE_MAX]);
size_t month_format_connection(const OpenConnection *connection, char ret[static MONTH_LINE_MAX]);

/* The headings of accounts and of connections. */
#define MONTH_ACCOUNTS    "[Instances]\n"
#define MONTH_CONNECTIONS "[Connections]\n"

/* Whether it is the name of a month, "2026-11". */
bool month_name_is_valid(const char *name);
