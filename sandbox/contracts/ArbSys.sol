// SPDX-License-Identifier: UNLICENSED
pragma solidity ^0.8.28;

/// The precompile at 0x64 of Arbitrum: heights are those of the chain itself.
contract ArbSys {
    function arbBlockNumber() external view returns (uint256) {
        return block.number;
    }

    function arbBlockHash(uint256 number) external view returns (bytes32) {
        return blockhash(number);
    }

    function arbChainID() external view returns (uint256) {
        return block.chainid;
    }
}
