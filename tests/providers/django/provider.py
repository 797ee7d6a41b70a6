"""The Django site. server.py configures Django before Django loads this module."""

import hashlib
import json
import os

from django.contrib.auth.views import LoginView
from django.urls import include, path
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import DeviceAuthorizationView
from oauthlib.oauth2 import DeviceApplicationServer

LOGGED = {
    "/o/device-authorization/": "device_authorization",
    "/o/token/": "token",
    "/o/revoke_token/": "revocation",
}


def say(line):
    # In one write, so that the lines of two threads do not mix.
    os.write(1, (json.dumps(line) + "\n").encode())


def logged(get_response):
    def answer(request):
        response = get_response(request)
        endpoint = LOGGED.get(request.path)
        if endpoint:
            token = request.POST.get("refresh_token")
            try:
                members = json.loads(response.content)
            except ValueError:
                members = {}
            say({
                "endpoint": endpoint,
                "grant_type": request.POST.get("grant_type"),
                "refresh_token": token and hashlib.sha256(token.encode()).hexdigest(),
                # Tests introspect tokens that the program did not store.
                "access_token": members.get("access_token"),
                "status": response.status_code,
                "error": members.get("error"),
            })
        return response

    return answer


class Validator(OAuth2Validator):
    """Adds the e-mail address and the user name to the claims."""

    oidc_claim_scope = None

    def get_additional_claims(self, request):
        return {"email": request.user.email, "email_verified": True, "preferred_username": request.user.username}


class Server(DeviceApplicationServer):
    # There is no setting for the lifetime of device codes.
    expires_in = int(os.environ.get("DEVICE_CODE_SECONDS", 600))


DeviceAuthorizationView.server_class = Server

urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]
