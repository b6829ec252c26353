/* SPDX-License-Identifier: MIT */
/*
 * The table of all findings, for findings.[ch] alone, which define ROW(KIND, id, severity, why,
 * advice). Programs rely on the id, and bellhop-findings(7) explains it.
 *
 * Advice is a command of ours or systemd's as it is typed, or sentences, which begin with a capital
 * letter; NULL: nothing has to be done. Root can follow it safely, even if a customer changes their
 * own folders meanwhile: commands that change files there run as the customer. No advice removes a
 * file that somebody may need, or makes anybody but root its owner. {name}, {file} and {config}
 * stand for the instance, the file and a --config= that is needed.
 */
ROW(CONFIG_ERROR, "config-error", ERROR,
    "The file is left out as a whole; its instance has no visitors, or its old settings.",
    "Correct the file, " THEN_APPLY)
ROW(SETTINGS_ERROR, "settings-error", ERROR,
    "A settings file of the router or of bellhop-mail has a mistake, and is left out.",
    "Correct the file, then run 'bellhopctl apply', or 'systemctl reload bellhop-mail.service' for "
    "mail.conf.")
ROW(FOLDER_WRITABLE, "folder-writable", ERROR,
    "Whoever may write there can take the visitors of any instance.",
    "Make root its owner, let nobody else write in it, and look through its files.")
ROW(FILE_NOT_READ, "file-not-read", WARNING, "Only files whose names end with .conf are read.",
    "Rename it so that it ends with .conf, or move it away, " THEN_APPLY)
ROW(SHARED_UID, "shared-uid", ERROR,
    "Two instances run as the same user, so each can read the key of the other.",
    "Give each a user with a uid of its own, by usermod(8).")
ROW(IDLE_TOO_SHORT, "idle-too-short", WARNING,
    "The instance would be started anew for nearly every visitor.",
    "Write IdleSec=10min or remove the line, " THEN_APPLY)
ROW(NETWORK_NOT_CLOSED, "network-not-closed", NOTE,
    "Code in control of an instance can send packets out; nothing comes back.", NULL)
ROW(NETWORK_NEEDED, "network-needed", NOTE,
    "Its updates, requests to other servers, mail by SMTP and databases over TCP fail at once.",
    "bellhopctl set {name} --network=internet")
ROW(REDIRECT_WITHOUT_TLS, "redirect-without-tls", ERROR,
    "Visitors are sent from HTTP to HTTPS, where nobody answers.",
    "bellhopctl cert {name} --self-signed{config} && " RESTART)
ROW(NO_TLS, "no-tls", NOTE, "The instance answers HTTP only.", NULL)
ROW(CERTIFICATE_MISSING, "certificate-missing", ERROR, NO_HTTPS, "Install " PAIR OR_ANEW)
ROW(CERTIFICATE_UNREADABLE, "certificate-unreadable", ERROR,
    "The instance runs as this user from its start. " NO_HTTPS,
    "Do not open what a link leads to. Install " PAIR ".")
ROW(CERTIFICATE_INVALID, "certificate-invalid", ERROR, NO_HTTPS, "Install " PAIR ".")
ROW(CERTIFICATE_EXPIRED, "certificate-expired", ERROR, "Browsers refuse the website.", ISSUED_ANEW)
ROW(CERTIFICATE_EXPIRES, "certificate-expires", WARNING,
    "Browsers refuse the website from then on.", ISSUED_ANEW)
ROW(CERTIFICATE_NOT_YET_VALID, "certificate-not-yet-valid", ERROR,
    "Browsers refuse the website until then.", ISSUED_ANEW)
ROW(CERTIFICATE_WEAK, "certificate-weak", ERROR, "OpenSSL and browsers refuse it.",
    "Have its authority issue one for a new key, then install " PAIR ".")
ROW(CERTIFICATE_LACKS_HOST, "certificate-lacks-host", ERROR,
    "Browsers refuse the website under these names.", ISSUED_ANEW)
ROW(CHAIN_ORDER, "chain-order", ERROR,
    "The instance's own comes first, then each one's issuer; some clients insist on it.",
    "Put them in this order into a new file, then install " PAIR ".")
ROW(CHAIN_INCOMPLETE, "chain-incomplete", ERROR,
    "Clients that do not know the issuer from elsewhere refuse the website.",
    "Put it and the issuer's (often in chain.pem) into a new file, then install " PAIR ".")
ROW(CHAIN_UNTRUSTED, "chain-untrusted", NOTE,
    "Only clients that were given this authority accept the website.", NULL)
ROW(SELF_SIGNED, "self-signed", NOTE, "Browsers warn of it.", NULL)
ROW(KEY_EXPOSED, "key-exposed", ERROR, "Whoever can read the key can pretend to be the website.",
    "runuser --pty -u {name} -- chmod 0400 {file}")
ROW(KEY_ENCRYPTED, "key-encrypted", ERROR,
    "Nobody is there to type the pass phrase when the instance starts. " NO_HTTPS,
    "Remove the pass phrase from a copy with 'openssl pkey', then install " PAIR ".")
ROW(KEY_MISMATCH, "key-mismatch", ERROR, "The instance does not start, or refuses TLS.",
    "Install " PAIR " that belong together.")
ROW(ACME_FAILED, "acme-failed", WARNING,
    "The present certificate stays in use, as long as it is valid.", ACME_AGAIN)
ROW(ACME_HOSTS, "acme-hosts", WARNING, "Browsers refuse the website under these names.", ACME_AGAIN)
ROW(ACME_WILDCARD, "acme-wildcard", WARNING,
    "An authority signs a certificate for a wildcard only after a challenge in DNS.",
    "Write Challenges=dns-01 and DnsHook= into the file of the authority, see "
    "bellhop.acme.conf(5), then run 'systemctl reload bellhop-acme.service'; or list the hosts.")
ROW(ACME_NO_HOST, "acme-no-host", WARNING, "An authority signs no certificate for an address.",
    "Add a host with 'bellhopctl set {name} --host=HOST', or run 'bellhopctl set {name} "
    "--tls=files'.")
ROW(ACME_TOO_MANY_HOSTS, "acme-too-many-hosts", WARNING,
    "A certificate has 100 hosts at most, so the others have none.",
    "Give the other hosts an instance of their own.")
ROW(ACME_AUTHORITY, "acme-authority", ERROR,
    "Instances of this authority get no certificate, and none is renewed.",
    "Correct the file, then run 'systemctl reload bellhop-acme.service'.")
ROW(ACME_ACCOUNT, "acme-account", NOTE,
    "Whoever answers on port 80 or 443 for a host, even for a moment, can have a certificate for "
    "it, unless a CAA record in DNS names the only account that may.",
    "Add to each zone the record that is shown, once, and before it one for each other authority "
    "that signs for the zone.")
ROW(ACME_NOT_RUNNING, "acme-not-running", WARNING,
    "Instances with Tls=acme get no certificate, and none is renewed.",
    RESTART_OR_WHY("bellhop-acme.service"))
ROW(ACME_CLIENT_MISSING, "acme-client-missing", ERROR,
    "bellhop-acme gets certificates by this program. Without it, none is renewed.",
    "Install uacme. bellhop-acme finds it at its next try.")
ROW(DOCUMENT_ROOT_MISSING, "document-root-missing", ERROR, NO_PAGES,
    "Make the folder /srv/www/{name} with user {name} as its owner, then run '" RESTART "'.")
ROW(DOCUMENT_ROOT_UNREADABLE, "document-root-unreadable", ERROR, NO_PAGES,
    "Put a folder there that user {name} owns, and do not open what a link leads to.")
ROW(DOCUMENT_ROOT_REPLACED, "document-root-replaced", ERROR,
    "The instance still serves the folder that had this name when it was started.", RESTART)
ROW(FOLDER_ELSEWHERE, "folder-elsewhere", WARNING,
    "The sandbox hides only folders in /home and /srv/www: all other instances can read what is "
    "open to everybody in this one. Its own instance can't write there by that name.",
    "Mount the disk at /home or /srv/www instead of using links, or close the folder: 'runuser "
    "--pty -u {name} -- chmod o= {file}'.")
ROW(HOME_READ_ONLY, "home-read-only", NOTE, "Programs of the site can read it, not write there.",
    "Where they have to, write [Service] and BindPaths={file} by 'systemctl edit "
    "bellhop@{name}.service', then run '" RESTART "'.")
ROW(SECRET_EXPOSED, "secret-exposed", WARNING,
    "Every user of this machine can read the passwords in it.",
    "runuser --pty -u {name} -- chmod o= {file}")
ROW(DOCUMENT_ROOT_WRITABLE, "document-root-writable", WARNING,
    "Every user of this machine can change the website and run programs as its user.",
    "runuser --pty -u {name} -- chmod o-w {file}")
ROW(HTACCESS_ERROR, "htaccess-error", ERROR,
    "Every page of its folder, and below it, is an error (403 or 500).",
    "Correct or remove the line. The next request reads the file.")
ROW(HTACCESS_IGNORED, "htaccess-ignored", WARNING,
    "What it forbids, visitors get; what it redirects or rewrites, they don't.",
    "Write what it says into a snippet, as in bellhop-nginx(8), and remove it, or run "
    "'bellhopctl set {name} --server=apache'.")
ROW(PAGES_UNREADABLE, "pages-unreadable", ERROR, "Visitors get an error in its place.",
    "Restore it once more, as user {name}: for example by 'runuser --pty -u {name} -- tar ...'.")
ROW(PHP_MISSING, "php-missing", ERROR, "Visitors get an error for each page in PHP.",
    "Install PHP-FPM (Debian: php-fpm), then run '" ADVICE_RELOAD "'.")
ROW(RULE_BY_NAME, "rule-by-name", WARNING,
    "With Network=no, client names can't be resolved: such rules deny everybody, and logs show "
    "addresses.",
    "Use addresses, or run 'bellhopctl set {name} --network=internet'.")
ROW(LISTEN_UNUSED, "listen-unused", WARNING,
    "The instance opens no port; all connections come from the router.",
    "Remove the line. To open another port for all instances, add ListenStream= with 'systemctl "
    "edit bellhop-router.socket'.")
ROW(APPLICATION_UNREACHABLE, "application-unreachable", ERROR,
    "Requests that are passed on to it get an error.",
    "Start the application, or correct the line, then run '" ADVICE_RELOAD "'.")
ROW(SNIPPETS_NOT_ROOTS, "snippets-not-roots", ERROR,
    "The customer can replace your settings, load any module into an Apache, and lead your "
    "commands elsewhere by a link.",
    "Look through its files. Make root the owner of the folder and of everything in it, and let "
    "nobody else write there.")
ROW(SNIPPET_ERROR, "snippet-error", ERROR,
    "The instance does not start; one that runs can't be reloaded.",
    "Correct the file or move it away, then run '" ADVICE_RELOAD "'.")
ROW(SERVER_MISSING, "server-missing", ERROR,
    "The instance does not start; one that runs can't be reloaded.", NULL)
ROW(TARGET_NOT_ENABLED, "target-not-enabled", ERROR,
    "After the next boot, no instance can be reached.", "systemctl enable bellhop.target")
ROW(UNIT_MASKED, "unit-masked", ERROR, "systemd refuses to start it.",
    "Run 'systemctl unmask' with its name, " THEN_APPLY)
ROW(DROP_IN_IGNORED, "drop-in-ignored", WARNING,
    "systemd leaves the line out, so what it should set is not set.",
    "Correct the line, then run 'systemctl daemon-reload' and restart the unit.")
ROW(DROP_IN_UNUSED, "drop-in-unused", WARNING, "What it sets is in force nowhere.",
    "Rename it after the unit that is meant, such as bellhop@NAME.service.d, then run 'systemctl "
    "daemon-reload'.")
ROW(UNIT_NOT_RELOADED, "unit-not-reloaded", WARNING, "What the files say now is not in force.",
    "systemctl daemon-reload")
ROW(ADDRESS_MISSING, "address-missing", WARNING,
    "No connection can arrive at an address that this machine does not have.",
    "Give the machine the address, or correct the line, " THEN_APPLY)
ROW(ROUTER_NOT_LISTENING, "router-not-listening", ERROR, UNREACHABLE,
    "systemctl start bellhop.target bellhop-router.socket bellhop-router.service")
ROW(ROUTER_PORTS, "router-ports", ERROR, "Visitors who come that way reach no instance.",
    "Leave only one of the lines, for example ListenStream=80, in 'systemctl edit "
    "bellhop-router.socket'. Then run 'systemctl restart bellhop-router.socket "
    "bellhop-router.service'.")
ROW(ROUTER_FAILED, "router-failed", ERROR, UNREACHABLE, RESTART_OR_WHY("bellhop-router.service"))
ROW(USAGE_NOT_COUNTED, "usage-not-counted", WARNING,
    "What customers use now is not counted, and can't be determined later.",
    RESTART_OR_WHY("bellhop-usage.service"))
ROW(ROUTER_NOT_RELOADED, "router-not-reloaded", WARNING, "What the files say now is not in force.",
    ADVICE_APPLY)
ROW(SOCKET_NOT_STARTED, "socket-not-started", ERROR,
    "The router can't hand off the instance's visitors: it refuses them.",
    "systemctl restart bellhop@{name}.socket")
ROW(SOCKET_LEFT_OVER, "socket-left-over", WARNING,
    "An instance that no file describes any more still runs, or can be started.", ADVICE_APPLY)
ROW(SITE_FAILED, "site-failed", ERROR, "The instance does not start, or has ended with an error.",
    RESTART_OR_WHY("bellhop@{name}.service"))
ROW(OOM_KILL, "oom-kill", WARNING,
    "What the program was about has failed: a request, or all requests of a server's process.",
    "If the memory of the instance is limited, raise the limit with 'bellhopctl set {name} "
    "--memory-max=SIZE', or find out which program needs so much. If not, the machine has too "
    "little.")
ROW(SITE_NOT_RELOADED, "site-not-reloaded", WARNING,
    "The instance goes on with what it read before.", ADVICE_RELOAD)
ROW(LOGS_NOT_WRITTEN, "logs-not-written", WARNING,
    "Instances that start now log to the journal, which may drop lines, and takes 8 MB for each "
    "customer.",
    "systemctl start bellhop-log.socket")
ROW(LOG_FOLDER, "log-folder", WARNING,
    "The customer's log lines go only to the files that all customers share.", ADVICE_APPLY)
ROW(PORT_TAKEN, "port-taken", ERROR,
    "The router can't listen there, so no instance can be reached on that port.",
    "Find the program with 'ss -tlnp' and stop it, then run 'systemctl restart "
    "bellhop-router.socket bellhop-router.service'.")
ROW(WEB_SERVER_ENABLED, "web-server-enabled", WARNING,
    "At the next boot it may take ports 80 and 443 before the router does.",
    "Disable it with 'systemctl disable'.")
ROW(QUEUE_TOO_SHORT, "queue-too-short", WARNING,
    "Few visitors fit the queue of an instance that starts; others wait in the router.",
    "Set net.unix.max_dgram_qlen=512 in /etc/sysctl.d (sysctl.d(5)), then run 'sysctl "
    "--system' and \"systemctl restart 'bellhop@*.socket'\".")
ROW(SUSPENDED, "suspended", NOTE, "Its visitors get 503, until it is resumed.",
    "bellhopctl resume {name}")
ROW(NOT_CHECKED, "not-checked", NOTE, "What is wrong there was not seen.", NULL)
