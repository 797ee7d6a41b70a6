"""Authlib's authorization server on loopback: opaque tokens, no ID tokens, no metadata: python server.py

Prints one JSON object per line: first the endpoints, then each request to an endpoint for programs. Exits when standard
input ends. Environment variables: ACCESS_TOKEN_SECONDS, DEVICE_CODE_SECONDS.
"""

import hashlib
import json
import os
import secrets
import socket
import threading
import time

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oauth2.rfc8628 import (
    DEVICE_CODE_GRANT_TYPE,
    DeviceAuthorizationEndpoint,
    DeviceCodeGrant,
    DeviceCredentialDict,
)
from flask import Flask, request
from werkzeug.serving import make_server

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
METHODS = ["client_secret_basic", "client_secret_post", "none"]
SECONDS = int(os.environ.get("ACCESS_TOKEN_SECONDS", 3600))
LOGGED = {"/device_authorization": "device_authorization", "/token": "token", "/revoke": "revocation"}

listener = socket.create_server(("127.0.0.1", 0))
root = f"http://127.0.0.1:{listener.getsockname()[1]}"
# One request at a time changes them.
lock = threading.RLock()
devices, tokens = {}, []


class Client(ClientMixin):
    def __init__(self, client_id, secret):
        self.client_id, self.secret = client_id, secret

    def get_client_id(self):
        return self.client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return " ".join(set(scope.split()) & {"models", "offline_access"})

    def check_redirect_uri(self, uri):
        return False

    def check_client_secret(self, secret):
        return secrets.compare_digest(self.secret, secret)

    def check_endpoint_auth_method(self, method, endpoint):
        return (method != "none") if self.secret else method == "none"

    def check_response_type(self, response_type):
        return False

    def check_grant_type(self, grant_type):
        return grant_type in (DEVICE_CODE_GRANT_TYPE, "refresh_token")


class Token(TokenMixin, dict):
    def check_client(self, client):
        return self["client_id"] == client.client_id

    def get_scope(self):
        return self.get("scope", "")

    def get_expires_in(self):
        return self["expires_in"]

    def is_revoked(self):
        return self["revoked"]

    def is_expired(self):
        return time.time() >= self["issued_at"] + self["expires_in"]

    def get_user(self):
        return self["user"]

    def get_client(self):
        return clients[self["client_id"]]


clients = {
    name: Client(name, secret)
    for name, secret in (
        ("public", ""),
        ("confidential", "the-secret-of-a-client"),
        # The resource server, which introspects tokens.
        ("gateway", "the-secret-of-the-gateway"),
    )
}


def find(name, value):
    return next((token for token in tokens if token.get(name) == value), None)


class DeviceAuthorization(DeviceAuthorizationEndpoint):
    CLIENT_AUTH_METHODS = METHODS
    EXPIRES_IN = int(os.environ.get("DEVICE_CODE_SECONDS", 600))

    def get_verification_uri(self):
        return f"{root}/device"

    def save_device_credential(self, client_id, scope, data):
        credential = DeviceCredentialDict(
            client_id=client_id, scope=scope, expires_at=time.time() + data["expires_in"], **data
        )
        devices[data["device_code"]] = credential


class DeviceCode(DeviceCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def query_device_credential(self, device_code):
        return devices.get(device_code)

    def query_user_grant(self, user_code):
        device = next(one for one in devices.values() if one["user_code"] == user_code)
        return device.get("decision")

    def should_slow_down(self, credential):
        polled, credential["polled"] = credential.get("polled", 0), time.time()
        return time.time() - polled < credential["interval"] - 0.5


class Refresh(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token):
        token = find("refresh_token", refresh_token)
        return None if token is None or token["revoked"] else token

    def authenticate_user(self, refresh_token):
        return refresh_token["user"]

    def revoke_old_credential(self, refresh_token):
        refresh_token["revoked"] = True


def query_token(value, hint):
    return find("refresh_token", value) or find("access_token", value)


class Revocation(RevocationEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, token_string, token_type_hint):
        return query_token(token_string, token_type_hint)

    def revoke_token(self, token, request):
        token["revoked"] = True


class Introspection(IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = METHODS

    def query_token(self, token_string, token_type_hint):
        return query_token(token_string, token_type_hint)

    def check_permission(self, token, client, request):
        return client.client_id == "gateway"

    def introspect_token(self, token):
        return {"active": True, "client_id": token["client_id"], "username": token["user"]}


def save_token(token, request):
    devices.pop(request.form.get("device_code"), None)
    issued = {"client_id": request.client.client_id, "user": request.user, "revoked": False}
    tokens.append(Token(token, issued_at=time.time(), **issued))


def say(line):
    # In one write, so that the lines of two threads do not mix.
    os.write(1, (json.dumps(line) + "\n").encode())


app = Flask(__name__)
app.config.update(
    OAUTH2_REFRESH_TOKEN_GENERATOR=True,
    OAUTH2_TOKEN_EXPIRES_IN={DEVICE_CODE_GRANT_TYPE: SECONDS, "refresh_token": SECONDS},
)
server = AuthorizationServer(app, query_client=clients.get, save_token=save_token)
server.register_grant(DeviceCode)
server.register_grant(Refresh)
for endpoint in (DeviceAuthorization, Revocation, Introspection):
    server.register_endpoint(endpoint)


@app.post("/device_authorization")
def device_authorization():
    with lock:
        return server.create_endpoint_response(DeviceAuthorization.ENDPOINT_NAME)


@app.post("/token")
def token():
    with lock:
        return server.create_token_response()


@app.post("/revoke")
def revoke():
    with lock:
        return server.create_endpoint_response(Revocation.ENDPOINT_NAME)


@app.post("/introspect")
def introspect():
    with lock:
        return server.create_endpoint_response(Introspection.ENDPOINT_NAME)


@app.post("/decide")
def decide():
    """The form of the verification page."""
    form = request.form
    with lock:
        device = next(one for one in devices.values() if one["user_code"] == form["user_code"])
        device["decision"] = form["account"], form["decision"] == "approve"
    return {}


@app.after_request
def logged(response):
    endpoint = LOGGED.get(request.path)
    if endpoint:
        token = request.form.get("refresh_token")
        members = response.get_json(silent=True) or {}
        say({
            "endpoint": endpoint,
            "grant_type": request.form.get("grant_type"),
            "refresh_token": token and hashlib.sha256(token.encode()).hexdigest(),
            # Tests introspect tokens that the program did not store.
            "access_token": members.get("access_token"),
            "status": response.status_code,
            "error": members.get("error"),
        })
    return response


def end_with_stdin():
    while os.read(0, 1024):
        pass
    os._exit(0)


threading.Thread(target=end_with_stdin, daemon=True).start()
say({
    "issuer": root,
    "device_authorization_endpoint": f"{root}/device_authorization",
    "token_endpoint": f"{root}/token",
    "revocation_endpoint": f"{root}/revoke",
    "introspection_endpoint": f"{root}/introspect",
    "jwks_uri": f"{root}/jwks",
    "userinfo_endpoint": f"{root}/userinfo",
})
make_server("127.0.0.1", 0, app, threaded=True, fd=listener.fileno()).serve_forever()
