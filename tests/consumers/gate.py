"""chatgpt.com on loopback, for programs that insist on https: gate.py ISSUER REGISTRY CERTIFICATE KEY

A proxy that answers CONNECT by itself, with a certificate of its own. What is below /v2/ goes to a container registry
once the issuer's model has taken the password for a token; all else goes to the issuer as it is. Prints its port.
"""

import base64
import ssl
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

REGISTRY = {"Docker-Distribution-Api-Version": "registry/2.0"}

issuer, registry, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, method, headers, body=None):
    request = urllib.request.Request(url, body, headers, method=method)
    try:
        return direct.open(request)
    except HTTPError as refusal:
        return refusal


class Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        self.send_response(200)
        self.end_headers()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)

    def read_chunk(self):
        chunk = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return chunk

    def read_body(self):
        if "Transfer-Encoding" in self.headers:
            return b"".join(iter(self.read_chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length", 0))) or None

    def forward(self):
        body = self.read_body()
        passed = ("Authorization", "Content-Type", "Accept")
        given = {name: self.headers.get_all(name) for name in passed}
        headers = {name: ", ".join(values) for name, values in given.items() if values}
        server = issuer
        if self.path.startswith("/v2/"):
            if not self.is_admitted(headers.pop("Authorization", "")):
                return self.answer(401, {**REGISTRY, "WWW-Authenticate": 'Basic realm="gate"'}, b"")
            server = registry
        reply = ask(server + self.path, self.command, headers, body)
        kept = ("Content-Type", "Docker-Content-Digest", "WWW-Authenticate", *REGISTRY)
        answer = {name: reply.headers[name] for name in kept if name in reply.headers}
        self.answer(reply.status, answer, reply.read())

    def is_admitted(self, authorization):
        scheme, _, basic = authorization.partition(" ")
        if scheme != "Basic":
            return False
        token = base64.b64decode(basic).decode().partition(":")[2]
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
        return ask(issuer + "/v1/responses", "POST", headers, b"{}").status == 200

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = forward

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
print(server.server_port, flush=True)
server.serve_forever()
