# SPDX-License-Identifier: MIT
"""Directives by name: those that are another's matter with bellhop, and why."""

JOURNAL = "requests and errors are in the journal: journalctl -u bellhop@NAME"
USER = "the instance runs as this user"
LIMITS = "limits are the unit's: systemctl set-property bellhop@NAME.service"
ACME = "bellhopctl set NAME --acme gets certificates in its place, and so does import --acme; until then the present one stays"
ACME_MOVED = "Tls=acme: bellhop-acme gets the certificates"
FCGID = "PHP runs in a PHP-FPM of the customer's own; for other programs, see SetHandler and ProxyPass"

# Of virtual hosts, in small letters.
MOVED = {
    **dict.fromkeys(("assignuserid", "ruidgid", "rmode", "suexecusergroup", "rgroups"), USER),
    **dict.fromkeys(("customlog", "errorlog", "transferlog", "errorlogformat", "globallog", "logformat"), JOURNAL),
}
HAND = {
    **dict.fromkeys(("maxclientsvhost", "nicevalue", "limituidrange", "limitgidrange", "rminuidgid", "rdocumentchroot"), LIMITS),
    **dict.fromkeys(("assignuseridexpr", "assigngroupidexpr"), "an instance has one user"),
    **dict.fromkeys(("sslusestapling", "sslstaplingcache"), "instances have no cache for OCSP stapling"),
}
HAND_PREFIXES = {"md": ACME, "sslstapling": HAND["sslusestapling"], "fcgid": FCGID, "fcgiwrapper": FCGID, "fastcgi": FCGID}

PAGES_OF_SERVER = ("server-status", "server-info", "balancer-manager", "ldap-status")

# Modules that instance.conf loads.
INSTANCE_MODULES = ("authz_core authz_host authz_user authz_groupfile authn_core authn_file auth_basic access_compat mime "
                    "dir alias rewrite negotiation autoindex env setenvif headers expires filter deflate include cgi proxy "
                    "proxy_http proxy_fcgi proxy_wstunnel reqtimeout http2 ssl").split()

# Folders of more than one user.
SHARED = {"/", "/home", "/srv", "/srv/www", "/var", "/var/www", "/var/lib", "/usr", "/opt", "/root"}

# Of the whole server: each customer's snippet has them.
SERVER_KEPT = set("""
    addtype addhandler addoutputfilter addlanguage addcharset addencoding adddefaultcharset directoryindex errordocument
    setenv unsetenv setenvif setenvifnocase browsermatch browsermatchnocase header requestheader fileetag usecanonicalname
    expiresactive expiresdefault expiresbytype addoutputfilterbytype enablesendfile enablemmap limitrequestbody
    limitrequestfields limitrequestfieldsize limitrequestline allowencodedslashes contentdigest
""".split())
SERVER_OWN = set("""
    listen user group pidfile mutex timeout keepalive maxkeepaliverequests keepalivetimeout hostnamelookups accessfilename
    loglevel logformat customlog errorlog servertokens serversignature traceenable servername serveradmin serverroot
    defaultruntimedir startservers minsparethreads maxsparethreads minspareservers maxspareservers threadsperchild
    threadlimit maxrequestworkers maxconnectionsperchild serverlimit documentroot gracefulshutdowntimeout coredumpdirectory
    sslrandomseed sslsessioncache sslsessioncachetimeout sslpassphrasedialog sslciphersuite sslprotocol sslhonorcipherorder
    sslopensslconfcmd sslsessiontickets ssltls13ciphersuite sslcompression sslstrictsnivhostcheck protocols
    requestreadtimeout extendedstatus proxystatus listenbacklog receivebuffersize sendbuffersize namevirtualhost
    accept filters rlimitcpu rlimitmem rlimitnproc httpprotocoloptions scriptsock typesconfig
""".split())
OWN = "instance.conf or the router has its own"
WHOLE = ("it is for the whole server, which there is no more: write it into a file that the snippets of those customers "
         "include who need it")


def of_server(node, top, is_folder):
    """(verdict, why)."""
    if is_folder:
        return "moved", "it is about no folder of a customer who is imported"
    if node.key in SERVER_OWN or top.key in ("directory", "files", "filesmatch") or "/mods-" in node.file:
        return "moved", OWN
    return "needs a hand", WHOLE
