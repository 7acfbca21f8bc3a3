// The official client, told what to do by JSON lines on stdin; tells what happens on stdout.
//
//     node client.mjs <folder of node_modules> <url> <options of io()>
//
// Commands: {"open": true}, {"emit": [name, ..]}, {"call": [name, ..]} (with acknowledgement),
// {"greet": [name, ..]} (called after every connect), {"join": namespace, "auth": ..},
// {"close": true}. Bytes are {"base64": ".."} in both directions.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, url, options] = process.argv.slice(2);
const { Manager } = createRequire(`${folder}/`)("socket.io-client");

function tell(event, more) {
  const replace = (_, value) =>
    value?.type === "Buffer" ? { base64: Buffer.from(value.data).toString("base64") } : value;
  process.stdout.write(`${JSON.stringify({ event, ...more }, replace)}\n`);
}

function withBytes(_, value) {
  return typeof value?.base64 === "string" ? Buffer.from(value.base64, "base64") : value;
}

const manager = new Manager(url, { autoConnect: false, ...JSON.parse(options) });
let greeting = null;

function call(socket, [name, ...args]) {
  socket.emit(name, ...args, (...answer) => tell("answer", { args: answer }));
}

function watched(namespace, auth) {
  const socket = manager.socket(namespace, { auth });
  socket.on("connect", () => {
    const transport = manager.engine.transport.name;
    tell("connect", { namespace, id: socket.id, transport });
    if (greeting) call(socket, greeting);
  });
  socket.on("disconnect", (reason) => tell("disconnect", { namespace, reason }));
  socket.on("connect_error", ({ message, data }) =>
    tell("connect_error", { namespace, message, data }),
  );
  socket.onAny((name, ...args) => tell("received", { namespace, name, args }));
  return socket;
}

manager.on("open", () => manager.engine.on("upgrade", ({ name }) => tell("upgrade", { name })));
const main = watched("/");
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line, withBytes);
  if (command.emit) main.emit(...command.emit);
  else if (command.call) call(main, command.call);
  else if (command.greet) greeting = command.greet;
  else if (command.join) watched(command.join, command.auth).connect();
  else if (command.open) main.connect();
  else if (command.close) main.disconnect();
}
process.exit(0);
