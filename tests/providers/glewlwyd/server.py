"""Glewlwyd on loopback behind a proxy that logs, in a temporary folder: python server.py

GLEWLWYD names the folder in which its Debian packages are unpacked. Prints one JSON object per line: first the endpoints,
then each request to an endpoint for programs. Exits when standard input ends. Environment variables: ACCESS_TOKEN_SECONDS,
DEVICE_CODE_SECONDS.
"""

import base64
import gzip
import hashlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(os.environ["GLEWLWYD"])
SCOPES = ["openid", "models"]
LOGGED = {
    "/api/oidc/device_authorization": "device_authorization",
    "/api/oidc/token": "token",
    "/api/oidc/revoke": "revocation",
}


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def say(line):
    # In one write, so that the lines of two threads do not mix.
    os.write(1, (json.dumps(line) + "\n").encode())


class Session:
    """A browser session at Glewlwyd."""

    def __init__(self, api, username, password):
        self.api, self.cookie = api, ""
        self.send("POST", "/auth/", {"username": username, "password": password})

    def send(self, method, path, body=None):
        request = urllib.request.Request(self.api + path, method=method)
        request.add_header("Cookie", self.cookie)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        try:
            with OPENER.open(request) as answer:
                cookie = answer.headers.get("Set-Cookie")
        except urllib.error.HTTPError as error:
            # Glewlwyd leads from each step to a page of its own, which is not there.
            if error.code >= 400:
                raise RuntimeError(f"{method} {path}: {error.code} {error.read()}") from error
            cookie = error.headers.get("Set-Cookie")
        self.cookie = cookie.split(";")[0] if cookie else self.cookie


def configuration(folder, port, root):
    modules = {
        f"{name}_module_path": ROOT / f"usr/lib/glewlwyd/{path}"
        for name, path in (
            ("user", "user"),
            ("user_middleware", "user_middleware"),
            ("client", "client"),
            ("user_auth_scheme", "scheme"),
            ("plugin", "plugin"),
        )
    }
    (ROOT / "usr/lib/glewlwyd/user_middleware").mkdir(exist_ok=True)
    text = {
        "bind_address": "127.0.0.1",
        "external_url": root,
        "login_url": "login.html",
        "api_prefix": "api",
        "log_mode": "console",
        "log_level": "WARNING",
        "cookie_domain": "127.0.0.1",
        "session_key": "SESSION",
        "admin_scope": "g_admin",
        "profile_scope": "g_profile",
        "hash_algorithm": "SHA512",
        **modules,
    }
    lines = [f'{name}="{value}"' for name, value in text.items()]
    lines += [f"port={port}", "cookie_secure=0", "session_expiration=3600", "login_api_enabled=true"]
    lines.append(f'database = {{ type = "sqlite3"; path = "{folder}/db" }};')
    return "\n".join(lines) + "\n"


def start(folder, port, root):
    script = gzip.open(ROOT / "usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz", "rt")
    database = sqlite3.connect(folder / "db")
    database.executescript(script.read())
    database.close()
    (folder / "conf").write_text(configuration(folder, port, root))
    libraries = ROOT / "usr/lib/x86_64-linux-gnu"
    return subprocess.Popen(
        [ROOT / "usr/bin/glewlwyd", "-c", folder / "conf"],
        env={"LD_LIBRARY_PATH": str(libraries), "PATH": "/usr/bin:/bin"},
        stdout=sys.stderr,
    )


def fill(api, root):
    admin = Session(api, "admin", "password")
    for name in ("models", "introspect"):
        admin.send("POST", "/scope/", {
            "name": name, "display_name": name, "description": name,
            "password_required": False, "scheme": {},
        })
    for name in ("ada", "bob"):
        admin.send("POST", "/user/", {
            "username": name, "name": name, "email": f"{name}@example.com", "password": name,
            "enabled": True, "scope": [*SCOPES, "g_profile"],
        })
    key = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        check=True, capture_output=True, text=True,
    ).stdout
    public = subprocess.run(
        ["openssl", "pkey", "-pubout"], input=key, check=True, capture_output=True, text=True
    ).stdout
    admin.send("POST", "/mod/plugin/", {
        "module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "order_rank": 0,
        "parameters": {
            "iss": f"{root}/api/oidc",
            "jwt-type": "ecdsa", "jwt-key-size": "256", "key": key, "cert": public,
            "access-token-duration": int(os.environ.get("ACCESS_TOKEN_SECONDS", 3600)),
            "refresh-token-duration": 86400,
            "refresh-token-rolling": False,
            "refresh-token-one-use": "always",
            "code-duration": 600,
            "allow-non-oidc": True,
            "auth-type-device-enabled": True,
            "auth-type-client-enabled": True,
            "auth-type-refresh-enabled": True,
            "device-authorization-expiration": int(os.environ.get("DEVICE_CODE_SECONDS", 600)),
            "device-authorization-interval": 5,
            "introspection-revocation-allowed": True,
            "introspection-revocation-allow-target-client": True,
            "introspection-revocation-auth-scope": ["introspect"],
            "jwks-show": True,
            "subject-type": "public",
            "email-claim": "mandatory",
        },
    })
    for name, secret in (
        ("public", None),
        ("confidential", "the-secret-of-a-client"),
        # The resource server, which introspects tokens.
        ("gateway", "the-secret-of-the-gateway"),
    ):
        admin.send("POST", "/client/", {
            "client_id": name, "name": name, "enabled": True, "scope": ["introspect"] if name == "gateway" else [],
            "confidential": secret is not None,
            **({"client_secret": secret} if secret else {}),
            "authorization_type": ["device_authorization", "refresh_token", "client_credentials"],
            "token_endpoint_auth_method": ["client_secret_basic"] if secret else ["none"],
            "redirect_uri": [f"{root}/unused"],
        })


def decide(api, database, form):
    """Does what Glewlwyd's pages do. They offer no denial: the administrator ends the code."""
    if form["decision"] == "deny":
        connection = sqlite3.connect(database, timeout=30, isolation_level=None)
        connection.execute("UPDATE gpo_device_authorization SET gpoda_status = 3 WHERE gpoda_status = 0")
        return connection.close()
    user = Session(api, form["account"], form["account"])
    for client in ("public", "confidential"):
        user.send("PUT", f"/auth/grant/{client}/", {"scope": " ".join(SCOPES)})
    code = urllib.parse.quote(form["user_code"])
    user.send("GET", f"/oidc/device?code={code}&g_continue")


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        form = dict(urllib.parse.parse_qsl(body.decode()))
        if self.path == "/decide":
            decide(self.server.api, self.server.database, form)
            return self.reply(200, {}, b"{}")
        request = urllib.request.Request(self.server.origin + self.path, method=self.command)
        request.data = body or None
        if self.path == "/api/oidc/introspect":
            # Another client than that of the token needs a token with this scope.
            request.add_header("Authorization", introspector(self.server.origin))
            del self.headers["Authorization"]
        for name in ("Content-Type", "Authorization", "Accept", "DPoP"):
            if self.headers.get(name):
                request.add_header(name, self.headers[name])
        try:
            with OPENER.open(request) as answer:
                status, headers, content = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, headers, content = error.code, error.headers, error.read()
        self.log(form, status, content)
        self.reply(status, headers, content)

    do_GET = do_POST = answer

    def log(self, form, status, content):
        endpoint = LOGGED.get(self.path.split("?")[0])
        if not endpoint:
            return
        try:
            members = json.loads(content)
        except ValueError:
            members = {}
        token = form.get("refresh_token")
        say({
            "endpoint": endpoint,
            "grant_type": form.get("grant_type"),
            "refresh_token": token and hashlib.sha256(token.encode()).hexdigest(),
            # Tests introspect tokens that the program did not store.
            "access_token": members.get("access_token"),
            "status": status,
            "error": members.get("error"),
        })

    def reply(self, status, headers, content):
        self.send_response(status)
        for name in ("Content-Type", "Cache-Control", "WWW-Authenticate"):
            if headers.get(name):
                self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def introspector(origin):
    """Returns the Authorization of the resource server."""
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "introspect"})
    request = urllib.request.Request(f"{origin}/api/oidc/token", form.encode())
    pair = base64.b64encode(b"gateway:the-secret-of-the-gateway").decode()
    request.add_header("Authorization", f"Basic {pair}")
    with OPENER.open(request) as answer:
        return f"Bearer {json.load(answer)['access_token']}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


with tempfile.TemporaryDirectory() as folder:
    folder, port = Path(folder), free_port()
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    root = f"http://127.0.0.1:{proxy.server_port}"
    proxy.origin = f"http://127.0.0.1:{port}"
    proxy.api, proxy.database = f"{proxy.origin}/api", folder / "db"
    glewlwyd = start(folder, port, root)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        fill(proxy.api, root)
        issuer = f"{root}/api/oidc"
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        say({
            "issuer": issuer,
            "device_authorization_endpoint": f"{issuer}/device_authorization",
            "token_endpoint": f"{issuer}/token",
            "revocation_endpoint": f"{issuer}/revoke",
            "introspection_endpoint": f"{issuer}/introspect",
            "jwks_uri": f"{issuer}/jwks",
            "userinfo_endpoint": f"{issuer}/userinfo",
        })
        while os.read(0, 1024):
            pass
    finally:
        glewlwyd.kill()
