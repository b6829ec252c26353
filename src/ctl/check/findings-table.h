/* SPDX-License-Identifier: MIT */
/*
 * The table of all findings. Only findings.h and findings.c include this file, after they have
 * defined ROW(KIND, id, severity, why, advice). Programs rely on the id. bellhop-findings(7)
 * explains each id.
 *
 * Advice is either a command to type, or sentences, which begin with a capital letter. NULL means
 * that nothing has to be done. Root can follow advice safely, even if a customer changes their own
 * folders meanwhile: commands that change files there run as the customer. Advice never removes a
 * file that somebody may need, and never makes anyone but root the owner of an existing file.
 * {name} and {file} become the names of the instance and the file. {config} becomes the option
 * --config=, if it is needed.
 */
ROW(CONFIG_ERROR, "config-error", ERROR,
    "bellhop ignores the whole file. Its instance is not served, or keeps its old settings.",
    "Correct the file, " THEN_APPLY)
ROW(SETTINGS_ERROR, "settings-error", ERROR,
    "A settings file of the router or of bellhop-mail has a mistake, so it is ignored.",
    "Correct the file, then run 'bellhopctl apply', or 'systemctl reload bellhop-mail.service' for "
    "mail.conf.")
ROW(FOLDER_WRITABLE, "folder-writable", ERROR,
    "Anyone who can write to the folder can take over the connections of any instance.",
    "Make root the owner of the folder, allow nobody else to write to it, and inspect its files.")
ROW(FILE_NOT_READ, "file-not-read", WARNING, "Only files whose names end with .conf are read.",
    "Rename the file so that its name ends with .conf, or move it away, " THEN_APPLY)
ROW(SHARED_UID, "shared-uid", ERROR,
    "Two instances run as the same user, so each can read the other's key.",
    "Give each user its own uid with usermod(8).")
ROW(IDLE_TOO_SHORT, "idle-too-short", WARNING,
    "The instance would start again for nearly every client.",
    "Write IdleSec=10min or remove the line, " THEN_APPLY)
ROW(NETWORK_NOT_CLOSED, "network-not-closed", NOTE,
    "An attacker who controls an instance can use this gap. A newer kernel with Landlock closes "
    "it.",
    NULL)
ROW(NETWORK_NEEDED, "network-needed", NOTE,
    "Updates, requests to other servers, mail over SMTP and databases over TCP fail at once.",
    "bellhopctl set {name} --network=internet")
ROW(REDIRECT_WITHOUT_TLS, "redirect-without-tls", ERROR,
    "Clients are redirected from HTTP to HTTPS, where no server answers.",
    "bellhopctl cert {name} --self-signed{config} && " RESTART)
ROW(NO_TLS, "no-tls", NOTE, "The instance serves only HTTP.", NULL)
ROW(CERTIFICATE_MISSING, "certificate-missing", ERROR, NO_HTTPS, "Install " PAIR OR_ANEW)
ROW(CERTIFICATE_UNREADABLE, "certificate-unreadable", ERROR,
    "The instance runs as this user from its start. " NO_HTTPS,
    "Do not change permissions of the target of a link. Install " PAIR ".")
ROW(CERTIFICATE_INVALID, "certificate-invalid", ERROR, NO_HTTPS, "Install " PAIR ".")
ROW(CERTIFICATE_EXPIRED, "certificate-expired", ERROR, "Browsers refuse the website.", ISSUED_ANEW)
ROW(CERTIFICATE_EXPIRES, "certificate-expires", WARNING,
    "Browsers refuse the website after the certificate has expired.", ISSUED_ANEW)
ROW(CERTIFICATE_NOT_YET_VALID, "certificate-not-yet-valid", ERROR,
    "Browsers refuse the website until the certificate is valid.", ISSUED_ANEW)
ROW(CERTIFICATE_WEAK, "certificate-weak", ERROR, "OpenSSL and browsers refuse this certificate.",
    "Ask the certificate's authority for a certificate for a new key, then install " PAIR ".")
ROW(CERTIFICATE_LACKS_HOST, "certificate-lacks-host", ERROR,
    "Browsers refuse the website under these names.", ISSUED_ANEW)
ROW(CHAIN_ORDER, "chain-order", ERROR,
    "The instance's own certificate must be first, and each certificate must be followed by its "
    "issuer's. Some clients require this order.",
    "Put the certificates in this order into a new file, then install " PAIR ".")
ROW(CHAIN_INCOMPLETE, "chain-incomplete", ERROR,
    "Clients that do not already know the issuer refuse the website.",
    "Put this certificate and the issuer's (often in chain.pem) into a new file, then install " PAIR
    ".")
ROW(CHAIN_UNTRUSTED, "chain-untrusted", NOTE,
    "Only clients that are configured to trust this authority accept the website.", NULL)
ROW(SELF_SIGNED, "self-signed", NOTE, "Browsers show a warning.", NULL)
ROW(KEY_EXPOSED, "key-exposed", ERROR, "Anyone who can read the key can impersonate the website.",
    "runuser --pty -u {name} -- chmod 0400 {file}")
ROW(KEY_ENCRYPTED, "key-encrypted", ERROR,
    "Nobody can type the pass phrase when the instance starts. " NO_HTTPS,
    "Remove the pass phrase from a copy with 'openssl pkey', then install " PAIR ".")
ROW(KEY_MISMATCH, "key-mismatch", ERROR, "The instance does not start, or refuses TLS connections.",
    "Find the key that belongs to the certificate, then install " PAIR ".")
ROW(ACME_FAILED, "acme-failed", WARNING,
    "The present certificate remains in use while it is valid.", ACME_AGAIN)
ROW(ACME_HOSTS, "acme-hosts", WARNING, "Browsers refuse the website under these names.", ACME_AGAIN)
ROW(ACME_UNUSED, "acme-unused", NOTE, "bellhop-acme does not renew this certificate.",
    "To use the certificate that bellhop-acme gets, remove the lines that name this certificate "
    "and its key, then run '" ADVICE_RELOAD "'.")
ROW(ACME_WILDCARD, "acme-wildcard", WARNING,
    "An authority signs a certificate for a wildcard only after a DNS challenge.",
    "Write Challenges=dns-01 and DnsHook= into the file of the authority, see "
    "bellhop.acme.conf(5), then run 'systemctl reload bellhop-acme.service'; or list the hosts "
    "instead of the wildcard.")
ROW(ACME_NO_HOST, "acme-no-host", WARNING, "An authority does not sign certificates for addresses.",
    "Add a host with 'bellhopctl set {name} --host=HOST', or run 'bellhopctl set {name} "
    "--tls=files'.")
ROW(ACME_TOO_MANY_HOSTS, "acme-too-many-hosts", WARNING,
    "A certificate has at most 100 hosts, so the other hosts have none.",
    "Move the other hosts to another instance.")
ROW(ACME_AUTHORITY, "acme-authority", ERROR,
    "Instances of this authority get no certificate, and none is renewed.",
    "Correct the file, then run 'systemctl reload bellhop-acme.service'.")
ROW(ACME_ACCOUNT, "acme-account", NOTE,
    "Anyone who can answer on port 80 or 443 of a host, even for a moment, can get a certificate "
    "for it, unless a CAA record in DNS names the only permitted account.",
    "In DNS, first add a CAA record for each other authority that signs for the zone, then the "
    "record that is shown here. Each zone needs these records once.")
ROW(ACME_NOT_RUNNING, "acme-not-running", WARNING,
    "Instances with Tls=acme get no certificate, and none is renewed.",
    RESTART_OR_WHY("bellhop-acme.service"))
ROW(ACME_CLIENT_MISSING, "acme-client-missing", ERROR,
    "bellhop-acme gets certificates with this program. Without it, none is renewed.",
    "Install uacme. bellhop-acme finds it at its next try.")
ROW(DOCUMENT_ROOT_MISSING, "document-root-missing", ERROR, NO_PAGES,
    "Make the folder /srv/www/{name} and give it to user {name}, then run '" RESTART "'.")
ROW(DOCUMENT_ROOT_UNREADABLE, "document-root-unreadable", ERROR, NO_PAGES,
    "Put a folder there that user {name} owns. Do not change permissions of the target of a link.")
ROW(DOCUMENT_ROOT_REPLACED, "document-root-replaced", ERROR,
    "The instance still serves the folder that had this name when it was started.", RESTART)
ROW(FOLDER_ELSEWHERE, "folder-elsewhere", WARNING,
    "The sandbox hides only folders in /home and /srv/www. All other instances can read "
    "world-readable files in this folder, and its own instance can't write to this folder.",
    "Mount the disk at /home or /srv/www instead of using links, or close the folder: 'runuser "
    "--pty -u {name} -- chmod o= {file}'.")
ROW(HOME_READ_ONLY, "home-read-only", NOTE,
    "Programs of the site can read this folder, but can't write to it.",
    "If they must write to it, add [Service] and BindPaths={file} with 'systemctl edit "
    "bellhop@{name}.service', then run '" RESTART "'.")
ROW(SECRET_EXPOSED, "secret-exposed", WARNING,
    "Every user of this machine can read the passwords in this file.",
    "runuser --pty -u {name} -- chmod o= {file}")
ROW(DOCUMENT_ROOT_WRITABLE, "document-root-writable", WARNING,
    "Every user of this machine can change the website and run programs as its user.",
    "runuser --pty -u {name} -- chmod o-w {file}")
ROW(HTACCESS_ERROR, "htaccess-error", ERROR,
    "Clients get an error (403 or 500) for every page in this folder and below.",
    "Correct or remove the line. The next request reads the file.")
ROW(HTACCESS_IGNORED, "htaccess-ignored", WARNING,
    "Clients can get files that the .htaccess file forbids, and its redirects and rewrites have no "
    "effect.",
    "Write its rules into a snippet, as in bellhop-nginx(8), and remove the .htaccess file, or run "
    "'bellhopctl set {name} --server=apache'.")
ROW(PAGES_UNREADABLE, "pages-unreadable", ERROR, "Clients get an error instead of this page.",
    "Restore the file again, as user {name}, for example with 'runuser --pty -u {name} -- tar "
    "...'.")
ROW(PHP_MISSING, "php-missing", ERROR, "Clients get an error for each PHP page.",
    "Install PHP-FPM (Debian: php-fpm), then run '" ADVICE_RELOAD "'.")
ROW(RULE_BY_NAME, "rule-by-name", WARNING,
    "With Network=no, names of clients can't be resolved. Such rules deny every client, and logs "
    "show addresses.",
    "Use addresses, or run 'bellhopctl set {name} --network=internet'.")
ROW(LISTEN_UNUSED, "listen-unused", WARNING,
    "The instance opens no port. All its connections come from the router.",
    "Remove the line. To open another port for all instances, add ListenStream= with 'systemctl "
    "edit bellhop-router.socket'.")
ROW(APPLICATION_UNREACHABLE, "application-unreachable", ERROR,
    "Requests that are passed to this application get an error.",
    "Start the application, or correct the line, then run '" ADVICE_RELOAD "'.")
ROW(SNIPPETS_NOT_ROOTS, "snippets-not-roots", ERROR,
    "The customer can replace your settings, load any module into Apache, and redirect your "
    "commands to other files with a link.",
    "Inspect the snippets. Make root the owner of their folder and of everything in it, and allow "
    "nobody else to write there.")
ROW(SNIPPET_ERROR, "snippet-error", ERROR,
    "The instance does not start. A running instance can't be reloaded.",
    "Correct the file or move it away, then run '" ADVICE_RELOAD "'.")
ROW(SERVER_MISSING, "server-missing", ERROR,
    "The instance does not start. A running instance can't be reloaded.", NULL)
ROW(TARGET_NOT_ENABLED, "target-not-enabled", ERROR,
    "After the next boot, clients can't reach any instance.", "systemctl enable bellhop.target")
ROW(UNIT_MASKED, "unit-masked", ERROR, "systemd refuses to start this unit.",
    "Run 'systemctl unmask' with the name of the unit, " THEN_APPLY)
ROW(DROP_IN_IGNORED, "drop-in-ignored", WARNING,
    "systemd ignores the line, so its setting has no effect.",
    "Correct the line, then run 'systemctl daemon-reload' and restart the unit.")
ROW(DROP_IN_UNUSED, "drop-in-unused", WARNING, "The settings in this folder have no effect.",
    "Rename the folder after the intended unit, for example bellhop@NAME.service.d, then run "
    "'systemctl daemon-reload'.")
ROW(BIND_PATH_REPLACEABLE, "bind-path-replaceable", WARNING,
    "At each start of the instance, systemd follows links on this path as root. With a link, users "
    "who can change a folder on the path can put any folder into the sandbox, or in place of "
    "bellhop's own files there.",
    "In BindPaths= and BindReadOnlyPaths=, name only folders in folders that only root can change, "
    "with 'systemctl edit bellhop@{name}.service', then run '" RESTART "'.")
ROW(UNIT_NOT_RELOADED, "unit-not-reloaded", WARNING, "Changes of the files are not in force.",
    "systemctl daemon-reload")
ROW(ADDRESS_MISSING, "address-missing", WARNING,
    "No connection can reach an address that this machine does not have.",
    "Give the machine the address, or correct the line, " THEN_APPLY)
ROW(ROUTER_NOT_LISTENING, "router-not-listening", ERROR, UNREACHABLE,
    "systemctl start bellhop.target bellhop-router.socket bellhop-router.service")
ROW(ROUTER_PORTS, "router-ports", ERROR,
    "Clients that use this port or address family reach no instance.",
    "Leave only one of the lines, for example ListenStream=80, in 'systemctl edit "
    "bellhop-router.socket'. Then run 'systemctl restart bellhop-router.socket "
    "bellhop-router.service'.")
ROW(ROUTER_FAILED, "router-failed", ERROR, UNREACHABLE, RESTART_OR_WHY("bellhop-router.service"))
ROW(USAGE_NOT_COUNTED, "usage-not-counted", WARNING,
    "Present use by customers is not counted, and can't be determined later.",
    RESTART_OR_WHY("bellhop-usage.service"))
ROW(ROUTER_NOT_RELOADED, "router-not-reloaded", WARNING, "Changes of the files are not in force.",
    ADVICE_APPLY)
ROW(SOCKET_NOT_STARTED, "socket-not-started", ERROR,
    "The router can't hand off connections to the instance, so it refuses them.",
    "systemctl restart bellhop@{name}.socket")
ROW(SOCKET_LEFT_OVER, "socket-left-over", WARNING,
    "An instance without a file still runs, or can be started.", ADVICE_APPLY)
ROW(SITE_FAILED, "site-failed", ERROR, "The instance does not start, or ended with an error.",
    RESTART_OR_WHY("bellhop@{name}.service"))
ROW(OOM_KILL, "oom-kill", WARNING,
    "The program's work was lost: one request, or all requests of a server process.",
    "If the instance has a memory limit, raise it with 'bellhopctl set {name} --memory-max=SIZE', "
    "or find the program that needs so much. Without a limit, the machine has too little memory.")
ROW(TASKS_LIMIT, "tasks-limit", WARNING,
    "Processes or threads did not start, so requests failed or waited.",
    "Raise the limit with 'bellhopctl set {name} --tasks-max=N', or find the program that starts "
    "too many of them. After a restart of the instance, 'check' no longer reports this.")
ROW(SITE_NOT_RELOADED, "site-not-reloaded", WARNING, "The instance still uses the old files.",
    ADVICE_RELOAD)
ROW(LOGS_NOT_WRITTEN, "logs-not-written", WARNING,
    "Instances that start now log to the journal, which can drop lines and needs 8 MB for each "
    "customer.",
    "systemctl start bellhop-log.socket")
ROW(LOG_FOLDER, "log-folder", WARNING,
    "The customer's log lines go only to the shared files of all customers.", ADVICE_APPLY)
ROW(DISK_FULL, "disk-full", ERROR,
    "Commands and services that write there fail: starts, reloads, changes, logs and mail.",
    "Remove files there. 'df {file}' shows the mount point, and 'du -xh MOUNTPOINT | sort -h' "
    "shows what uses the space.")
ROW(PORT_TAKEN, "port-taken", ERROR,
    "The router can't listen there, so no instance can be reached on that port.",
    "Find the program with 'ss -tlnp' and stop it, then run 'systemctl restart "
    "bellhop-router.socket bellhop-router.service'.")
ROW(WEB_SERVER_ENABLED, "web-server-enabled", WARNING,
    "At the next boot, this web server may take ports 80 and 443 before the router does.",
    "Disable this web server with 'systemctl disable'.")
ROW(QUEUE_TOO_SHORT, "queue-too-short", WARNING,
    "While an instance starts, its socket holds only a few waiting connections. The others wait in "
    "the router.",
    "Set net.unix.max_dgram_qlen=512 in /etc/sysctl.d (sysctl.d(5)), then run 'sysctl "
    "--system' and \"systemctl restart 'bellhop@*.socket'\".")
ROW(SUSPENDED, "suspended", NOTE, "Clients get 503 until you resume the instance.",
    "bellhopctl resume {name}")
ROW(NOT_CHECKED, "not-checked", NOTE, "Mistakes in what was not checked are not reported.", NULL)
