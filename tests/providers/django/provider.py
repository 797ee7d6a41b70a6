"""The site: what its server.py has Django load once Django is ready."""

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
    # In one write: two threads must not mix.
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
                # To be introspected by those who never get to see it.
                "access_token": members.get("access_token"),
                "status": response.status_code,
                "error": members.get("error"),
            })
        return response

    return answer


class Validator(OAuth2Validator):
    """Tells more than a number of who signed in, where it tells anything."""

    oidc_claim_scope = None

    def get_additional_claims(self, request):
        return {"email": request.user.email, "preferred_username": request.user.username}


class Server(DeviceApplicationServer):
    # There is no setting for it.
    expires_in = int(os.environ.get("DEVICE_CODE_SECONDS", 600))


DeviceAuthorizationView.server_class = Server

urlpatterns = [
    path("login/", LoginView.as_view(template_name="login.html")),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]
