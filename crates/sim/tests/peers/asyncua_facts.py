"""What a client of asyncua sees of a load server: prints one fact a line.

    asyncua_facts.py URL FACT [ARGUMENT]
"""
import asyncio
import datetime
import logging
import sys
import time
from pathlib import Path

from asyncua import Client, ua

logging.disable(logging.CRITICAL)
TAG = "ns=2;i={}"


def name(status):
    return getattr(status, "name", str(status))


async def outcome(work):
    """Good, or the name of the status that the server answered with."""
    try:
        await work
        return "Good"
    except ua.UaStatusCodeError as error:
        return type(error).__name__
    except (asyncio.TimeoutError, ConnectionError) as error:
        return type(error).__name__


class Changes:
    """Collects data changes."""

    def __init__(self):
        self.seen = []
        self.status = []
        self.event = asyncio.Event()

    def datachange_notification(self, node, value, data):
        self.seen.append((node.nodeid.Identifier, data.monitored_item.Value))
        self.event.set()

    def status_change_notification(self, status):
        self.status.append(status)
        self.event.set()

    async def until(self, enough):
        while not enough(self.seen):
            self.event.clear()
            await asyncio.wait_for(self.event.wait(), 30)


async def watch(client, tags=1, count=12, queue=1000):
    handler = Changes()
    subscription = await client.create_subscription(100, handler)
    nodes = [client.get_node(TAG.format(tag)) for tag in range(1, tags + 1)]
    await subscription.subscribe_data_change(nodes, queuesize=queue)
    await handler.until(lambda seen: len(seen) >= count)
    return handler.seen


async def basics(client):
    print("namespaces", await client.get_namespace_array())
    root = await client.nodes.objects.get_children()
    names = [(await node.read_browse_name()).Name for node in root]
    print("objects", [name for name in names if name in ("Server", "Tags")])
    folder = await client.nodes.objects.get_child(["2:Tags"])
    children = await folder.get_children()
    print("tags", len(children), (await children[0].read_browse_name()).Name)
    tag = client.get_node(TAG.format(1))
    print("type", await tag.read_data_type(), (await tag.read_node_class()).name)
    seen = await watch(client, tags=3, count=9)
    print("changes of", sorted({tag for tag, _ in seen}))
    # A counter is the number of periods since 2020, and so is its timestamp.
    period, epoch = datetime.timedelta(milliseconds=100), datetime.datetime(2020, 1, 1)
    exact = all(int(v.Value.Value) == (v.SourceTimestamp.replace(tzinfo=None) - epoch) // period for _, v in seen)
    print("exact", exact)
    values = [v.Value.Value for tag, v in seen if tag == 1]
    print("in order", values == list(range(values[0], values[0] + len(values))))


async def small_limits(client):
    limits = client.get_node("i=11705"), client.get_node("i=11714")
    print("limits", [await node.read_value() for node in limits])
    tags = [ua.NodeId(tag, 2) for tag in range(1, 12)]
    for count in (10, 11):
        print("read", count, await outcome(client.uaclient.read_attributes(tags[:count], ua.AttributeIds.Value)))
    subscription = await client.create_subscription(100, Changes())
    for count in (10, 11):
        nodes = [client.get_node(tag) for tag in tags[:count]]
        print("items", count, await outcome(subscription.subscribe_data_change(nodes)))


async def few_items(client):
    subscription = await client.create_subscription(100, Changes())
    nodes = [client.get_node(TAG.format(tag)) for tag in range(1, 102)]
    results = await subscription.subscribe_data_change(nodes)
    print("good", sum(isinstance(result, int) for result in results))
    print("refused", [name(result) for result in results if not isinstance(result, int)])


async def slow(client):
    began = time.monotonic()
    await client.get_node(TAG.format(1)).read_value()
    print("late", time.monotonic() - began >= 0.5)


async def queue_of_one(client):
    handler = Changes()
    subscription = await client.create_subscription(1000, handler)
    await subscription.subscribe_data_change(client.get_node(TAG.format(1)), queuesize=100)
    await handler.until(lambda seen: len(seen) >= 4)
    values = [value for _, value in handler.seen]
    steps = [after.Value.Value - before.Value.Value for before, after in zip(values[1:], values[2:])]
    print("holes", all(step > 1 for step in steps))
    print("flags", {value.StatusCode.value if value.StatusCode else 0 for value in values})


async def no_timestamps(client):
    seen = await watch(client)
    print("source", {value.SourceTimestamp for _, value in seen})
    print("server", all(value.ServerTimestamp is not None for _, value in seen))


async def coarse_timestamps(client):
    seen = await watch(client)
    print("microseconds", {value.SourceTimestamp.microsecond for _, value in seen})


async def twins(client):
    seen = await watch(client)
    pairs = [value for _, value in seen[1:]][:8]
    print("pairs", all(
        first.SourceTimestamp == second.SourceTimestamp and second.Value.Value - first.Value.Value == 2**40
        for first, second in zip(pairs[::2], pairs[1::2])
    ))


async def flapping(client):
    seen = await watch(client, count=16)
    known = {0: "Good", 1: "UncertainLastUsableValue", 2: "Good", 3: "BadCommunicationError"}
    print("as computed", all(name(value.StatusCode) == known[value.Value.Value % 4] for _, value in seen))


async def clock_jumps(client):
    now = client.get_node("i=2258")
    seen = set()
    while seen != {-1, 0, 1}:
        off = (await now.read_value()).replace(tzinfo=None) - datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
        seen.add(round(off.total_seconds() / 3600))
        await asyncio.sleep(0.05)
    print("hours off", sorted(seen))


async def drops_sessions(client):
    node = client.get_node(TAG.format(1))
    while (status := await outcome(node.read_value())) == "Good":
        await asyncio.sleep(0.05)
    print("then", status)


async def broken_types(client):
    # The last tag of the mixed ones is a structure.
    tag = client.get_node(TAG.format(32))
    kind = await tag.read_data_type()
    print("type", kind)
    print("class", await outcome(client.get_node(kind).read_node_class()))
    print("definition", await outcome(client.get_node("ns=2;i=3000000000").read_data_type_definition()))
    print("value", type((await tag.read_data_value()).Value.Value).__name__)


async def endless_pages(client):
    browse = ua.BrowseDescription()
    browse.NodeId = ua.NodeId(84)
    browse.BrowseDirection = ua.BrowseDirection.Forward
    browse.ReferenceTypeId = ua.NodeId(33)
    browse.IncludeSubtypes = True
    browse.ResultMask = ua.BrowseResultMask.All
    parameters = ua.BrowseParameters()
    parameters.NodesToBrowse = [browse]
    result = (await client.uaclient.browse(parameters))[0]
    first = [reference.BrowseName.Name for reference in result.References]
    print("page", sorted(first))
    for _ in range(50):
        following = ua.BrowseNextParameters()
        following.ContinuationPoints = [result.ContinuationPoint]
        following.ReleaseContinuationPoints = False
        result = (await client.uaclient.browse_next(following))[0]
        assert [reference.BrowseName.Name for reference in result.References] == first
    print("and again", bool(result.ContinuationPoint))


async def history(client):
    tag = client.get_node(TAG.format(1))
    print("access", sorted(level.name for level in await tag.get_access_level()))
    await watch(client, count=20)
    end = datetime.datetime.now(datetime.timezone.utc)
    values = await tag.read_raw_history(end - datetime.timedelta(minutes=1), end, 0, False)
    counts = [value.Value.Value for value in values]
    print("enough", len(counts) >= 15)
    print("in order", counts == list(range(counts[0], counts[0] + len(counts))))
    newest = await tag.read_raw_history(end, end - datetime.timedelta(minutes=1), 5, False)
    print("newest first", [value.Value.Value for value in newest] == counts[-1:-6:-1])


async def main():
    url, fact = sys.argv[1], sys.argv[2]
    client = Client(url, timeout=20)
    await client.connect()
    try:
        await globals()[fact.replace("-", "_")](client)
    finally:
        try:
            await asyncio.wait_for(client.disconnect(), 10)
        except Exception:
            pass


async def secure():
    """Connects with a policy and a mode, as anonymous, with a name, or with a certificate."""
    url, policy, mode, folder, login = sys.argv[1], sys.argv[3], sys.argv[4], Path(sys.argv[5]), sys.argv[6]
    from asyncua.crypto import security_policies
    from asyncua.crypto.cert_gen import setup_self_signed_certificate
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key, certificate = folder / "key.pem", folder / "certificate.der"
    if not certificate.exists():
        await setup_self_signed_certificate(
            key, certificate, "urn:gemba:test:asyncua", "localhost", [ExtendedKeyUsageOID.CLIENT_AUTH], {}
        )
    client = Client(url, timeout=20)
    client.application_uri = "urn:gemba:test:asyncua"
    if login.startswith("user:"):
        _, user, password = login.split(":")
        client.set_user(user)
        client.set_password(password)
    if login == "certificate":
        await client.load_client_certificate(str(certificate))
        await client.load_private_key(str(key))
    await client.set_security(
        getattr(security_policies, "SecurityPolicy" + policy), str(certificate), str(key),
        mode=ua.MessageSecurityMode[mode],
    )
    async with client:
        seen = await watch(client, count=5)
        print(policy, mode, login.split(":")[0], len(seen) >= 5)
        # The channel is renewed under way.
        await client.open_secure_channel(renew=True)
        print("renewed", isinstance(await client.get_node(TAG.format(1)).read_value(), int))


if __name__ == "__main__":
    asyncio.run(secure() if sys.argv[2] == "secure" else main())
