// What a client of node-opcua sees of a load server: prints one fact a line.
//     node_opcua_facts.js URL POLICY MODE
"use strict";
const opcua = require("node-opcua");
const os = require("os");
const path = require("path");
const fs = require("fs");

const [url, policy, mode] = process.argv.slice(2);

// The library prints what it does: only facts are wanted here.
const say = (...facts) => process.stdout.write(facts.join(" ") + "\n");
console.log = console.info = console.warn = () => {};

async function main() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "gemba-node-opcua-"));
    const manager = new opcua.OPCUACertificateManager({
        rootFolder: folder, automaticallyAcceptUnknownCertificate: true,
    });
    const client = opcua.OPCUAClient.create({
        applicationName: "facts",
        endpointMustExist: false,
        clientCertificateManager: manager,
        securityPolicy: opcua.SecurityPolicy[policy === "Aes128Sha256RsaOaep" ? "Aes128_Sha256_RsaOaep"
            : policy === "Aes256Sha256RsaPss" ? "Aes256_Sha256_RsaPss" : policy],
        securityMode: opcua.MessageSecurityMode[mode],
        connectionStrategy: { maxRetry: 0 },
        defaultSecureTokenLifetime: 20000,
    });
    await client.connect(url);
    const session = await client.createSession();
    say("policy", policy, mode);
    const tags = await session.browse("ns=2;i=3100000000");
    say("tags", tags.references.filter((reference) => reference.browseName.name.startsWith("Tag")).length);
    const subscription = await session.createSubscription2({
        requestedPublishingInterval: 100, requestedMaxKeepAliveCount: 10, requestedLifetimeCount: 100,
        publishingEnabled: true,
    });
    const item = await subscription.monitor(
        { nodeId: "ns=2;i=1", attributeId: opcua.AttributeIds.Value },
        { samplingInterval: 0, queueSize: 100, discardOldest: true },
        opcua.TimestampsToReturn.Both,
    );
    const seen = [];
    await new Promise((resolve) => item.on("changed", (value) => {
        // A UInt64 is a pair of halves.
        const [high, low] = value.value.value;
        seen.push(high * 2 ** 32 + low);
        if (seen.length >= 10) resolve();
    }));
    say("in order", seen.every((value, place) => place === 0 || value === seen[place - 1] + 1));
    const now = new Date();
    const history = await session.readHistoryValue("ns=2;i=1", new Date(now - 60000), now);
    say("history", history.statusCode.name);
    await subscription.terminate();
    await session.close();
    await client.disconnect();
    fs.rmSync(folder, { recursive: true, force: true });
}

main().then(() => process.exit(0), (error) => {
    console.error(error);
    process.exit(1);
});
