import { keccak_256 } from '@noble/hashes/sha3.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** An address with its checksum (EIP-55). Many wallets say it all in lower case. */
export function withChecksum(address: string): string {
  const digits = address.slice(2).toLowerCase();
  const hash = bytesToHex(keccak_256(utf8ToBytes(digits)));
  const shown = [...digits].map((digit, at) =>
    parseInt(hash[at] ?? '0', 16) > 7 ? digit.toUpperCase() : digit
  );
  return `0x${shown.join('')}`;
}
