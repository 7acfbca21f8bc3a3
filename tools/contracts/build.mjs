// Compiles sandbox/contracts/*.sol into sandbox/contracts/built.json: for each contract its ABI,
// the code that runs and the SHA-256 of its source, by which a test finds a forgotten build.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import solc from "solc";

const folder = new URL("../../sandbox/contracts/", import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const sources = Object.fromEntries(
  names.map((name) => [name, { content: readFileSync(new URL(name, folder), "utf8") }]),
);
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      settings: {
        evmVersion: "cancun",
        viaIR: true,
        optimizer: { enabled: true, runs: 200 },
        metadata: { appendCBOR: false },
        outputSelection: { "*": { "*": ["abi", "evm.deployedBytecode.object"] } },
      },
    }),
  ),
);
// A node of ours puts code in place at its start: no limit of a deployment's size holds.
const SIZE = "5574";
const problems = (output.errors ?? []).filter((problem) => problem.errorCode !== SIZE);
for (const problem of problems) console.error(problem.formattedMessage);
if (problems.length) process.exit(1);

const built = {};
for (const name of names) {
  const contract = name.slice(0, -".sol".length);
  const { abi, evm } = output.contracts[name][contract];
  built[contract] = {
    source_sha256: createHash("sha256").update(sources[name].content).digest("hex"),
    abi,
    code: `0x${evm.deployedBytecode.object}`,
  };
}
writeFileSync(new URL("built.json", folder), `${JSON.stringify(built, null, 1)}\n`);
