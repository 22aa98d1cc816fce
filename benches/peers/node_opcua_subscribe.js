// node-opcua subscribes to counters 1 to N and counts what it gets: {"values", "seconds", "cpuSeconds", "rssMiB"}.
// node node_opcua_subscribe.js URL TAGS WARM_UP_SECONDS SECONDS
const { OPCUAClient, AttributeIds, ClientMonitoredItemGroup, ClientSubscription, TimestampsToReturn } = require("node-opcua");

const [url, tags, warmUp, seconds] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const GROUP = 1000;
const pause = (time) => new Promise((done) => setTimeout(done, time * 1000));

(async () => {
  const client = OPCUAClient.create({ endpointMustExist: false, clientName: "bench" });
  await client.connect(url);
  const session = await client.createSession();
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: 100, requestedMaxKeepAliveCount: 50, requestedLifetimeCount: 1000,
    maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 1,
  });
  let values = 0;
  for (let first = 1; first <= tags; first += GROUP) {
    const ids = Array.from({ length: Math.min(GROUP, tags - first + 1) }, (_, n) => first + n);
    const group = ClientMonitoredItemGroup.create(
      subscription,
      ids.map((id) => ({ nodeId: `ns=2;i=${id}`, attributeId: AttributeIds.Value })),
      { samplingInterval: 0, queueSize: 50, discardOldest: true },
      TimestampsToReturn.Both,
    );
    group.on("changed", () => { values += 1; });
    await new Promise((done, failed) => { group.on("initialized", done); group.on("err", failed); });
  }
  await pause(warmUp);
  const [before, cpu, start] = [values, process.cpuUsage(), process.hrtime.bigint()];
  await pause(seconds);
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({
    values: values - before,
    seconds: Number(process.hrtime.bigint() - start) / 1e9,
    cpuSeconds: (used.user + used.system) / 1e6,
    rssMiB: Math.round(process.memoryUsage().rss / 1048576),
  }));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
