// A counter server on node-opcua: value n at epoch + n * period, source timestamp exactly that.
"use strict";
const { OPCUAServer, VariantArrayType, DataType, StatusCodes, MessageSecurityMode, SecurityPolicy, coerceUInt64,
  OPCUACertificateManager } = require("node-opcua");
const path = require("path");

const options = { port: 0, host: "127.0.0.1", tags: 20, "period-ms": 100, pki: "." };
for (let i = 2; i < process.argv.length; i++) {
  const name = process.argv[i].replace(/^--/, "");
  options[name] = process.argv[i + 1] && !process.argv[i + 1].startsWith("--") ? process.argv[++i] : true;
}
const EPOCH = Date.UTC(2026, 0, 1);

async function main() {
  const [name, password] = options.user ? options.user.split(":") : [];
  const certificateManager = new OPCUACertificateManager({
    rootFolder: path.join(options.pki, "pki"), automaticallyAcceptUnknownCertificate: true,
  });
  await certificateManager.initialize();
  const server = new OPCUAServer({
    port: Number(options.port),
    hostname: options.host,
    resourcePath: "/node",
    serverInfo: { applicationUri: "urn:gemba:test:node-opcua" },
    serverCertificateManager: certificateManager,
    securityModes: options.secure
      ? [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt]
      : [MessageSecurityMode.None],
    securityPolicies: options.secure ? [SecurityPolicy.None, SecurityPolicy.Basic256Sha256] : [SecurityPolicy.None],
    allowAnonymous: !name,
    userManager: { isValidUser: (user, given) => user === name && given === password },
  });
  await server.initialize();
  const space = server.engine.addressSpace.getOwnNamespace();
  const folder = space.addFolder(server.engine.addressSpace.rootFolder.objects, { browseName: "Counters" });
  const tags = [];
  for (let tag = 1; tag <= Number(options.tags); tag++) {
    tags.push(space.addVariable({
      componentOf: folder, browseName: `Counter${tag}`, nodeId: `i=${tag}`, dataType: "UInt64",
      // Each change is reported: a timer that samples would miss counts when the process is starved.
      minimumSamplingInterval: 0,
    }));
  }
  await server.start();
  const period = Number(options["period-ms"]);
  let count = Math.floor((Date.now() - EPOCH) / period);
  const tick = () => {
    while (EPOCH + (count + 1) * period <= Date.now()) {
      count += 1;
      const due = new Date(EPOCH + count * period);
      for (const tag of tags) {
        tag.setValueFromSource({ dataType: DataType.UInt64, arrayType: VariantArrayType.Scalar, value: coerceUInt64(count) }, StatusCodes.Good, due);
      }
    }
    setTimeout(tick, EPOCH + (count + 1) * period - Date.now());
  };
  tick();
  console.log("listening", options.port);
}
main().catch((error) => { console.error(error); process.exit(1); });
