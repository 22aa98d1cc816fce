"""A server of counters with the faults that the field knows. One line of JSON on stdin sets it up; `ready PORT` is printed."""

import asyncio
import datetime
import json
import logging
import sys
from pathlib import Path

from asyncua import Server, ua
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import UserManager
from asyncua.crypto.permission_rules import User, UserRole

POLICIES = {
    "Basic256Sha256": (ua.SecurityPolicyType.Basic256Sha256_Sign, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt),
    "Aes128": (
        ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
        ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ),
    "Aes256": (
        ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
        ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ),
    "None": (ua.SecurityPolicyType.NoSecurity,),
}


class Users(UserManager):
    """The owner of one certificate, one password, and anybody without either where that is allowed."""

    def __init__(self, setup):
        self.setup = setup

    def get_user(self, iserver, username=None, password=None, certificate=None):
        user_certificate = self.setup.get("user_certificate")
        if username is not None:
            ok = (username, password) == ("operator", self.setup.get("password"))
            return User(role=UserRole.User) if ok else None
        if user_certificate is not None:
            known = Path(user_certificate).read_bytes()
            return User(role=UserRole.User) if certificate == known else None
        return User(role=UserRole.User)


def install(faults):
    """Replaces services by faulty ones."""
    create = InternalSession.create_monitored_items
    state = {"items": {}, "calls": 0}

    async def create_monitored_items(self, params):
        state["calls"] += 1
        requests = params.ItemsToCreate
        most = faults.get("items_per_call")
        if most is not None and len(requests) > most:
            raise ua.uaerrors.BadTooManyOperations()
        if faults.get("slow_first_call") and state["calls"] == 1:
            await asyncio.sleep(faults["slow_first_call"])
        room = faults.get("items_per_subscription")
        if room is not None:
            taken = state["items"].setdefault(params.SubscriptionId, 0)
            params.ItemsToCreate = requests[: max(room - taken, 0)]
            state["items"][params.SubscriptionId] = taken + len(params.ItemsToCreate)
        results = await create(self, params) if params.ItemsToCreate else []
        for _ in requests[len(params.ItemsToCreate) :]:
            refused = ua.MonitoredItemCreateResult()
            refused.StatusCode = ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems)
            results.append(refused)
        if faults.get("short_answer") and state["calls"] == 1:
            return results[:-1]
        return results

    InternalSession.create_monitored_items = create_monitored_items

    read = InternalSession.read

    async def limited_read(self, params):
        most = faults.get("nodes_per_read")
        if most is not None and len(params.NodesToRead) > most:
            raise ua.uaerrors.BadTooManyOperations()
        limits = {ua.NodeId(n) for n in range(11700, 11720)}
        if faults.get("no_limits") and any(node.NodeId in limits for node in params.NodesToRead):
            raise ua.uaerrors.BadServiceUnsupported()
        if faults.get("lying_limits"):
            results = await read(self, params)
            lie = ua.DataValue(ua.Variant(1_000_000, ua.VariantType.UInt32))
            return [
                lie if node.NodeId in limits else result for node, result in zip(params.NodesToRead, results)
            ]
        return await read(self, params)

    InternalSession.read = limited_read


async def main():
    setup = json.loads(sys.stdin.readline())
    logging.basicConfig(level=logging.ERROR)
    install(setup.get("faults", {}))
    server = Server(user_manager=Users(setup))
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{setup['port']}/")
    await server.set_application_uri(setup.get("uri", "urn:test:asyncua"))
    policies = [policy for name in setup["policies"] for policy in POLICIES[name]]
    server.set_security_policy(policies)
    tokens = [ua.AnonymousIdentityToken]
    if setup.get("password"):
        tokens = [ua.UserNameIdentityToken]
    if setup.get("user_certificate"):
        tokens = [ua.X509IdentityToken]
    server.set_identity_tokens(tokens)
    if setup.get("certificate"):
        await server.load_certificate(setup["certificate"])
        await server.load_private_key(setup["key"])
    index = await server.register_namespace("urn:plant:counters")
    items = [
        await server.nodes.objects.add_variable(ua.NodeId(number, index), f"c{number}", 0, ua.VariantType.Int32)
        for number in range(1, setup.get("items", 5) + 1)
    ]
    async with server:
        print("ready", flush=True)
        count = 0
        odd = setup.get("faults", {}).get("timestamps")
        while True:
            count += 1
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            status = ua.StatusCode(0)
            if odd == "null":
                now = None
            elif odd == "coarse":
                now = now.replace(microsecond=0)
            elif odd == "equal":
                now = datetime.datetime(2026, 1, 1)
            elif odd == "jumping":
                now += datetime.timedelta(hours=1 if count % 4 < 2 else -1)
            elif odd == "flapping" and count % 2:
                status = ua.StatusCode(ua.StatusCodes.BadNoCommunication)
            for item in items:
                value = ua.DataValue(
                    ua.Variant(count, ua.VariantType.Int32), StatusCode=status, SourceTimestamp=now
                )
                await server.write_attribute_value(item.nodeid, value)
            await asyncio.sleep(setup.get("period", 0.05))


asyncio.run(main())
