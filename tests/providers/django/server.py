"""django-oauth-toolkit under gunicorn on loopback, in a temporary folder: python server.py

Prints one JSON object per line: first the endpoints, then each request to an endpoint for programs. Exits when standard
input ends. Environment variables: ACCESS_TOKEN_SECONDS, DEVICE_CODE_SECONDS.
"""

import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from gunicorn.app.base import BaseApplication


def configure(folder, root):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    settings.configure(
        SECRET_KEY="loopback",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="provider",
        USE_TZ=True,
        LOGIN_URL="/login/",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "provider.logged",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent],
            "APP_DIRS": True,
        }],
        DATABASES={"default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": Path(folder) / "db.sqlite3",
            "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
        }},
        # A fast hash: the tests sign in often, and the passwords protect nothing.
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        LOGGING={
            "version": 1,
            "handlers": {"stderr": {"class": "logging.StreamHandler"}},
            "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR"}},
        },
        OAUTH2_PROVIDER={
            "SCOPES": {"openid": "who you are", "email": "your address", "models": "ask the models"},
            "ACCESS_TOKEN_EXPIRE_SECONDS": int(os.environ.get("ACCESS_TOKEN_SECONDS", 3600)),
            "REFRESH_TOKEN_REUSE_PROTECTION": True,
            "OAUTH_DEVICE_VERIFICATION_URI": f"{root}/o/device/",
            "OAUTH2_VALIDATOR_CLASS": "provider.Validator",
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem.decode(),
        },
    )


def fill():
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from oauth2_provider.models import Application

    call_command("migrate", verbosity=0)
    for name in ("ada", "bob"):
        User.objects.create_user(name, f"{name}@example.com", name)
    device, code = Application.GRANT_DEVICE_CODE, Application.GRANT_AUTHORIZATION_CODE
    for name, secret, grant in (
        ("public", "", device),
        ("confidential", "the-secret-of-a-client", device),
        # A client has one grant here.
        ("browser", "", code),
        # The resource server, which introspects tokens.
        ("gateway", "the-secret-of-the-gateway", device),
    ):
        Application.objects.create(
            client_id=name,
            name=name,
            client_secret=secret,
            client_type=Application.CLIENT_CONFIDENTIAL if secret else Application.CLIENT_PUBLIC,
            authorization_grant_type=grant,
            # Any port (RFC 8252).
            redirect_uris="http://127.0.0.1/callback" if grant == code else "",
            algorithm=Application.RS256_ALGORITHM,
        )


def endpoints(root):
    return {
        "issuer": f"{root}/o",
        "authorization_endpoint": f"{root}/o/authorize/",
        "device_authorization_endpoint": f"{root}/o/device-authorization/",
        "token_endpoint": f"{root}/o/token/",
        "revocation_endpoint": f"{root}/o/revoke_token/",
        "introspection_endpoint": f"{root}/o/introspect/",
        "jwks_uri": f"{root}/o/.well-known/jwks.json",
        "userinfo_endpoint": f"{root}/o/userinfo/",
    }


class Gunicorn(BaseApplication):
    def __init__(self, listener, ready):
        self.listener, self.ready = listener, ready
        super().__init__()

    def load_config(self):
        for name, value in {
            "bind": f"fd://{self.listener.fileno()}",
            "workers": 1,
            "threads": 8,
            "loglevel": "warning",
            "when_ready": lambda _: self.ready(),
        }.items():
            self.cfg.set(name, value)

    def load(self):
        from django.core.wsgi import get_wsgi_application

        return get_wsgi_application()


def end_with_stdin():
    # sys.stdin would hold a lock that delays the exit of the interpreter.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


with tempfile.TemporaryDirectory() as folder:
    # Allow OAuth over plain HTTP.
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    listener = socket.create_server(("127.0.0.1", 0))
    root = f"http://127.0.0.1:{listener.getsockname()[1]}"
    configure(folder, root)
    django.setup()
    fill()
    sys.dont_write_bytecode = True
    from provider import say

    threading.Thread(target=end_with_stdin, daemon=True).start()
    Gunicorn(listener, lambda: say(endpoints(root))).run()
