// A server of one counter with a certificate that is given, alone or with its issuers behind it, and all policies. With a
// password for the user `operator`, which over None must be encrypted.
// One line of JSON on stdin sets it up; `ready` is printed when it listens.
const readline = require("readline");
const { OPCUAServer, OPCUACertificateManager, SecurityPolicy, MessageSecurityMode, Variant, DataType } = require("node-opcua");

readline.createInterface({ input: process.stdin }).once("line", async (line) => {
  const setup = JSON.parse(line);
  const manager = (folder) => new OPCUACertificateManager({ rootFolder: setup.folder + folder, automaticallyAcceptUnknownCertificate: true });
  const serverCertificateManager = manager("/pki");
  await serverCertificateManager.initialize();
  const userCertificateManager = manager("/users");
  await userCertificateManager.initialize();
  const server = new OPCUAServer({
    port: setup.port,
    hostname: "127.0.0.1",
    serverInfo: { applicationUri: setup.uri },
    serverCertificateManager,
    userCertificateManager,
    certificateFile: setup.certificate,
    privateKeyFile: setup.key,
    securityPolicies: setup.policies.map((name) => SecurityPolicy[name]),
    securityModes: [
      ...(setup.policies.includes("None") ? [MessageSecurityMode.None] : []),
      MessageSecurityMode.Sign,
      MessageSecurityMode.SignAndEncrypt,
    ],
    userManager: { isValidUser: (user, password) => user === "operator" && password === setup.password },
    allowAnonymous: true,
  });
  await server.initialize();
  const namespace = server.engine.addressSpace.registerNamespace("urn:plant:counters");
  let count = 0;
  const counter = namespace.addVariable({
    organizedBy: server.engine.addressSpace.rootFolder.objects,
    nodeId: `ns=${namespace.index};i=0`,
    browseName: "c0",
    dataType: DataType.Int32,
    value: new Variant({ dataType: DataType.Int32, value: 0 }),
  });
  setInterval(() => counter.setValueFromSource({ dataType: DataType.Int32, value: ++count }), 50);
  await server.start();
  console.log("ready");
});
