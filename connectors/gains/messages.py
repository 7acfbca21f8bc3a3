"""Frames and bodies as they stand on the wire. Only what is read is listed.

``Count``: a non-negative integer, mostly as a decimal string, in places as a JSON number.
"""

from typing import NotRequired, TypeAlias, TypedDict

Count: TypeAlias = str | int


class WirePrices(TypedDict, total=False):
    """A v4 frame. ``m``, ``i``: flat ``[pairIndex, price, ...]`` of mark and index; ``t``: ms.
    On v3 and the bare path a frame is the array alone, or ``[t]``."""

    m: list[float]
    i: list[float]
    t: int


class WireCharts(TypedDict):
    """``GET /charts``: the position is the pair index."""

    closes: list[float | None]
    indexPrices: NotRequired[list[float | None]]


WirePair = TypedDict(
    "WirePair",
    {"from": str, "to": str, "spreadP": Count, "groupIndex": Count, "feeIndex": Count},
)


class WireFee(TypedDict):
    totalPositionSizeFeeP: Count
    totalLiqCollateralFeeP: Count
    minPositionSizeUsd: Count


class WireLiquidation(TypedDict):
    maxLiqSpreadP: Count
    startLiqThresholdP: Count
    endLiqThresholdP: Count
    startLeverage: Count
    endLeverage: Count


class WireLiquidations(TypedDict):
    """By pair index."""

    pairs: list[WireLiquidation]


class WireGroup(TypedDict):
    name: str
    minLeverage: Count
    maxLeverage: Count


class WireDepthBands(TypedDict):
    """Packed words, see ``depth.decode_side``."""

    aboveSlot1: Count
    aboveSlot2: Count
    belowSlot1: Count
    belowSlot2: Count


class WirePairDepth(TypedDict):
    """The depth before v10.2."""

    onePercentDepthAboveUsd: Count
    onePercentDepthBelowUsd: Count


class WirePairFactors(TypedDict):
    cumulativeFactor: Count
    exemptOnOpen: bool


class WirePairInfos(TypedDict):
    """Every list may be shorter than the pairs; all but ``maxLeverages`` came with some version."""

    maxLeverages: list[Count]
    pairDepthBands: NotRequired[list[WireDepthBands]]
    pairDepths: NotRequired[list[WirePairDepth]]
    pairFactors: NotRequired[list[WirePairFactors]]


class WireTokenOi(TypedDict):
    oiLongToken: Count
    oiShortToken: Count


class WireLimitOi(TypedDict):
    """Also that of a borrowing group. Whole tokens of collateral, e10."""

    long: Count
    short: Count
    max: Count


class WirePairOi(TypedDict):
    beforeV10: WireLimitOi
    token: WireTokenOi


class WireFundingParams(TypedDict):
    skewCoefficientPerYear: Count
    absoluteVelocityPerYearCap: Count
    absoluteRatePerSecondCap: Count
    thetaThresholdUsd: Count
    fundingFeesEnabled: bool
    aprMultiplierEnabled: bool


class WireFundingData(TypedDict):
    """All but the time may be negative."""

    accFundingFeeLongP: str | int
    accFundingFeeShortP: str | int
    lastFundingRatePerSecondP: str | int
    lastFundingUpdateTs: Count


class WireGlobalParams(TypedDict):
    maxSkewCollateral: Count


class WireFunding(TypedDict):
    """By pair index."""

    pairGlobalParams: list[WireGlobalParams]
    pairParams: list[WireFundingParams]
    pairData: list[WireFundingData]


class WireRateV2(TypedDict):
    borrowingRatePerSecondP: Count


class WireBorrowingV2(TypedDict):
    pairParams: list[WireRateV2]


class WireCap(TypedDict):
    minP: Count
    maxP: Count


class WireMembership(TypedDict):
    groupIndex: Count


class WireBorrowingPair(TypedDict):
    """``groups``: the last counts."""

    feePerBlock: Count
    feeExponent: Count
    groups: list[WireMembership]
    feePerBlockCap: NotRequired[WireCap]


class WireBorrowingGroup(TypedDict):
    oi: WireLimitOi
    feePerBlock: Count
    feeExponent: Count


class WireBorrowingV1(TypedDict):
    pairs: list[WireBorrowingPair]
    groups: list[WireBorrowingGroup]


class WireBorrowing(TypedDict):
    v1: WireBorrowingV1
    v2: WireBorrowingV2


class WireCollateralPrices(TypedDict):
    collateralPriceUsd: float


class WireCollateralConfig(TypedDict):
    decimals: int


class WireCollateral(TypedDict):
    """What came with v10 may be missing."""

    collateralIndex: Count
    symbol: str
    isActive: bool
    pairOis: NotRequired[list[WirePairOi]]
    pairSkewDepths: NotRequired[list[Count]]
    prices: NotRequired[WireCollateralPrices]
    collateralConfig: NotRequired[WireCollateralConfig]
    fundingFees: NotRequired[WireFunding]
    borrowingFees: NotRequired[WireBorrowing]


class WireWindow(TypedDict):
    oiLongUsd: Count
    oiShortUsd: Count


class WireWindowsSettings(TypedDict):
    startTs: Count
    windowsDuration: Count
    windowsCount: Count


class WireMapping(TypedDict):
    slot1: Count
    slot2: Count


class WireVariables(TypedDict):
    """``GET /trading-variables`` and the stream's ``tradingVariables``."""

    tradingState: int
    pairs: list[WirePair]
    groups: list[WireGroup]
    pairInfos: WirePairInfos
    fees: NotRequired[list[WireFee]]
    liquidationParams: NotRequired[WireLiquidations]
    depthBandsMapping: NotRequired[WireMapping]
    collaterals: list[WireCollateral]
    oiWindowsSettings: WireWindowsSettings
    oiWindows: list[dict[str, WireWindow]]
    isForexOpen: bool
    isStocksOpen: bool
    isIndicesOpen: bool
    isCommoditiesOpen: bool


class WireWindowUpdate(TypedDict):
    pairIndex: Count
    windowId: Count
    newOi: WireWindow
