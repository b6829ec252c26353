/* SPDX-License-Identifier: MIT */
/*
 * An instance can have a folder with its own certificate and key for each of its hosts.
 * bellhop-acme gets only one certificate for all hosts, so the certificates in these folders would
 * expire. share_pair() copies the instance's certificate and key into these folders. The paths stay
 * the same, because snippets, which bellhop-cert can't read, may name them.
 */
#pragma once

#include "ctl/ask/hosts.h"
#include "ctl/change/tls-files.h"

typedef struct Share {
        const Instance *instance;
        const Hosts *hosts; /* of the instance */
} Share;

/*
 * A TlsUse for tls_files_use_key(). userdata: a Share. If the instance has a valid certificate that
 * is not self-signed, copies it with its key into each folder of a host whose certificate
 *
 * - has expired, or
 * - is self-signed or expires earlier, and covers no hosts that the instance's certificate lacks.
 *
 * A certificate with the instance's key counts as a copy: it is replaced even if it covers other
 * hosts, except the host of its folder. The previous files remain as described at
 * tls_files_replace(), except those of a copy all of whose names the new certificate covers.
 *
 * *ret_text: the names of these folders, each after a blank; NULL: none. Returns a PemResult or a
 * negative errno. After an error in one folder, continues with the others.
 */
int share_pair(int folder, EVP_PKEY *key, const void *userdata, char **ret_text);
