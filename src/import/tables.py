# SPDX-License-Identifier: MIT
"""Lists the names of directives that import moves or leaves to the administrator, and the reasons."""

JOURNAL = "requests and errors are in /var/log/bellhop/NAME, or in the journal if bellhop-log does not run"
USER = "the instance runs as this user"
LIMITS = "the unit sets limits: systemctl set-property bellhop@NAME.service"
ACME = "bellhopctl set NAME --acme or import --acme gets certificates instead; until then, the present one remains"
ACME_MOVED = "Tls=acme: bellhop-acme gets the certificates"
FCGID = "PHP runs in the customer's own PHP-FPM; for other programs, see SetHandler and ProxyPass"

# Directives of virtual hosts, in lower case, and the reason for each verdict.
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

# Folders that belong to more than one user.
SHARED = {"/", "/home", "/srv", "/srv/www", "/var", "/var/www", "/var/lib", "/usr", "/opt", "/root"}

# Directives of the whole server that are copied into each customer's snippet.
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
OWN = "instance.conf or the router has its own setting"
WHOLE = ("it is for the whole server, which no longer exists: write it into a file, and include the file in the snippets of "
         "the customers that need it")


def of_server(node, top, is_folder):
    """Returns (verdict, why) for a directive of the whole server. top: the section that contains it, or the directive
    itself."""
    if is_folder:
        return "moved", "it concerns no folder of an imported customer"
    if node.key in SERVER_OWN or top.key in ("directory", "files", "filesmatch") or "/mods-" in node.file:
        return "moved", OWN
    return "needs a hand", WHOLE
