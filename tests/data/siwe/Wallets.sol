// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// Contract wallets for tests: good ones, and those that answer as none should.
contract OwnedWallet {
    address public immutable owner;

    constructor(address owner_) {
        owner = owner_;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        address signer = ecrecover(
            hash,
            uint8(signature[64]),
            bytes32(signature[:32]),
            bytes32(signature[32:64])
        );
        return signer != address(0) && signer == owner ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// Makes wallets at addresses known before.
contract WalletFactory {
    event Made(address wallet);

    function make(address owner, bytes32 salt) external returns (address) {
        OwnedWallet wallet = new OwnedWallet{salt: salt}(owner);
        emit Made(address(wallet));
        return address(wallet);
    }

    function predict(address owner, bytes32 salt) external view returns (address) {
        bytes memory creation = abi.encodePacked(type(OwnedWallet).creationCode, abi.encode(owner));
        bytes32 hash = keccak256(
            abi.encodePacked(bytes1(0xff), address(this), salt, keccak256(creation))
        );
        return address(uint160(uint256(hash)));
    }
}

/// Takes the signature whose hash somebody wrote down, as wallets that sign on the chain do.
contract RecordingWallet {
    mapping(bytes32 => bool) public signed;

    function record(bytes32 hash) external {
        signed[hash] = true;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        return signature.length == 0 && signed[hash] ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

contract YesWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return 0x1626ba7e;
    }
}

contract RevertingWallet {
    fallback() external {
        revert("no");
    }
}

contract SilentWallet {
    fallback() external {}
}

/// Four bytes, not a word.
contract ShortWallet {
    fallback(bytes calldata) external returns (bytes memory) {
        return hex"1626ba7e";
    }
}

/// The magic value at the wrong end of the word.
contract MisalignedWallet {
    fallback(bytes calldata) external returns (bytes memory) {
        return abi.encode(uint256(0x1626ba7e));
    }
}

contract WritingWallet {
    uint256 public count;

    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        count++;
        return 0x1626ba7e;
    }
}

contract EndlessWallet {
    fallback() external {
        uint256 sum;
        while (true) sum++;
    }
}
