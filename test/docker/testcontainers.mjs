/** What programs do with testcontainers, against the engine that DOCKER_HOST names: `testcontainers.mjs PACKAGE IMAGE`. */
import assert from "node:assert/strict";

const [, , place, image] = process.argv;
const { GenericContainer, Network, Wait } = await import(place);

const network = await new Network().start();
const server = await new GenericContainer(image)
  .withCommand(["sh", "-c", "echo served >/index.html; echo ready; exec httpd -f -p 80 -h /"])
  .withNetwork(network)
  .withNetworkAliases("server")
  .withExposedPorts(80)
  .withCopyContentToContainer([{ content: "copied\n", target: "/copied" }])
  .withWaitStrategy(Wait.forAll([Wait.forLogMessage("ready"), Wait.forListeningPorts()]))
  .start();
const answer = await fetch(`http://${server.getHost()}:${server.getMappedPort(80)}/index.html`);
assert.equal(await answer.text(), "served\n");
assert.equal((await server.exec(["cat", "/copied"])).output, "copied\n");
const client = await new GenericContainer(image)
  .withCommand(["sh", "-c", "wget -qO- http://server/index.html; exec sleep 1000"])
  .withNetwork(network)
  .withWaitStrategy(Wait.forLogMessage("served"))
  .start();
await client.stop({ timeout: 1 });
await server.restart({ timeout: 1 });
await server.stop({ timeout: 1 });
await network.stop();
console.log("all went well");
