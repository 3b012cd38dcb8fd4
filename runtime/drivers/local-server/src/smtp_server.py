"""An SMTP server for tests, by aiosmtpd: it keeps what it gets as files, and refuses what the tests ask it to refuse."""

import argparse
import json
import os
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

parser = argparse.ArgumentParser()
parser.add_argument("--folder", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--encryption", choices=["none", "starttls", "tls"], default="none")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--login", help="user:password")
options = parser.parse_args()


class Handler:
    """Refuses some recipients, and writes each mail and its envelope into a file."""

    count = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("busy@"):
            return "451 4.7.1 try again later"
        if address.startswith("absent@"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if any(address.startswith("vanish@") for address in envelope.rcpt_tos):
            server.transport.abort()
            return "451 gone"
        if any(address.startswith("spam@") for address in envelope.rcpt_tos):
            return "554 5.7.1 looks like spam"
        self.count += 1
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": envelope.content.decode("utf-8", "replace"),
            "is_encrypted": session.ssl is not None or options.encryption == "tls",
            "user": getattr(session, "login", None),
        }
        path = os.path.join(options.folder, f"{self.count:04}.json")
        with open(path + ".part", "w") as file:
            json.dump(mail, file)
        os.rename(path + ".part", path)
        return f"250 queued as {self.count}"


def authenticate(server, session, envelope, mechanism, data):
    user, password = options.login.split(":")
    is_known = data.login == user.encode() and data.password == password.encode()
    if is_known:
        session.login = user
    return AuthResult(success=is_known, handled=False)


tls = None
if options.encryption != "none":
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options.certificate, options.key)

settings = {"hostname": "127.0.0.1", "port": options.port, "enable_SMTPUTF8": True}
if options.encryption == "starttls":
    settings.update(tls_context=tls, require_starttls=True)
if options.encryption == "tls":
    settings.update(ssl_context=tls)
if options.login:
    settings.update(
        authenticator=authenticate,
        auth_required=True,
        auth_require_tls=options.encryption == "starttls",
    )
controller = Controller(Handler(), **settings)
controller.start()
print("ready to accept connections", file=sys.stderr, flush=True)
while True:
    time.sleep(3600)
