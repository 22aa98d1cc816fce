"""A counter server on asyncua: value n at epoch + n * period, source timestamp exactly that."""
import argparse
import asyncio
import datetime
import sys
from pathlib import Path

from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.server.user_managers import UserManager
from asyncua.crypto.permission_rules import User, UserRole
from cryptography.x509.oid import ExtendedKeyUsageOID

EPOCH = datetime.datetime(2026, 1, 1)


class Users(UserManager):
    def __init__(self, name, password):
        self.name, self.password = name, password

    def get_user(self, iserver, username=None, password=None, certificate=None):
        if self.name is None:
            return User(role=UserRole.User)
        if username == self.name and password == self.password:
            return User(role=UserRole.User)
        return None


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--tags", type=int, default=20)
    parser.add_argument("--period-ms", type=int, default=100)
    parser.add_argument("--secure", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--pki", default=".")
    options = parser.parse_args()
    name, password = options.user.split(":", 1) if options.user else (None, None)
    server = Server(user_manager=Users(name, password))
    await server.init()
    await server.set_application_uri("urn:gemba:test:asyncua")
    server.set_endpoint(f"opc.tcp://{options.host}:{options.port}/asyncua/")
    if options.secure:
        key, certificate = Path(options.pki) / "key.pem", Path(options.pki) / "certificate.der"
        await setup_self_signed_certificate(
            key, certificate, "urn:gemba:test:asyncua", options.host,
            [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH], {"commonName": "asyncua counters"},
        )
        await server.load_certificate(str(certificate))
        await server.load_private_key(str(key))
        server.set_security_policy([
            ua.SecurityPolicyType.NoSecurity,
            ua.SecurityPolicyType.Basic256Sha256_Sign,
            ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
        ])
    else:
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    if name is not None:
        server.set_identity_tokens([ua.UserNameIdentityToken])
    index = await server.register_namespace("urn:gemba:test:counters")
    folder = await server.nodes.objects.add_folder(ua.NodeId("Counters", index), "Counters")
    ids = []
    for tag in range(1, options.tags + 1):
        node = await folder.add_variable(ua.NodeId(tag, index), f"Counter{tag}", 0, ua.VariantType.UInt64)
        ids.append(node.nodeid)
    period = datetime.timedelta(milliseconds=options.period_ms)
    async with server:
        print("listening", options.port, flush=True)
        now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        count = (now - EPOCH) // period
        while True:
            count += 1
            due = EPOCH + count * period
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            if due > now:
                await asyncio.sleep((due - now).total_seconds())
            value = ua.DataValue(
                ua.Variant(count, ua.VariantType.UInt64), SourceTimestamp=due, ServerTimestamp=due,
            )
            for node in ids:
                await server.write_attribute_value(node, value)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    sys.exit(0)
