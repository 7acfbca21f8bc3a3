// Compiles what api/siwe asks chains with, and the wallets it is tested with. Each built.json has for
// each contract the code that makes it and the SHA-256 of its source, by which a test finds a
// forgotten build.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import solc from "solc";

const root = new URL("../../", import.meta.url);
for (const [folder, name] of [
  ["api/siwe/", "SignatureValidator.sol"],
  ["tests/data/siwe/", "Wallets.sol"],
]) {
  const content = readFileSync(new URL(folder + name, root), "utf8");
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Solidity",
        sources: { [name]: { content } },
        settings: {
          // Older than what any chain runs: no PUSH0, no transient storage.
          evmVersion: "london",
          viaIR: true,
          optimizer: { enabled: true, runs: 200 },
          metadata: { appendCBOR: false },
          outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
        },
      }),
    ),
  );
  const problems = output.errors ?? [];
  for (const problem of problems) console.error(problem.formattedMessage);
  if (problems.length) process.exit(1);

  const built = { source_sha256: createHash("sha256").update(content).digest("hex") };
  for (const [contract, { abi, evm }] of Object.entries(output.contracts[name])) {
    built[contract] = { abi, creation_code: `0x${evm.bytecode.object}` };
  }
  writeFileSync(new URL(`${folder}built.json`, root), `${JSON.stringify(built, null, 1)}\n`);
}
