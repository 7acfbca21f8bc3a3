/** The chart itself, drawn by TradingView's Lightweight Charts; loaded when it is first shown. */

import type { IChartApi, ISeriesApi, UTCTimestamp } from 'lightweight-charts';
import { scaleDecimals, type Place } from './candles';

/** Places left of the screen at which older candles are asked for. */
const NEAR_EDGE = 30;
const STEP = 8;
const ZOOM = 0.8;

interface Colours {
  text: string;
  line: string;
  up: string;
  down: string;
}

function colours(element: Element): Colours {
  const style = getComputedStyle(element);
  const read = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: read('--muted'),
    line: read('--line'),
    up: read('--bid'),
    down: read('--ask'),
  };
}

export interface ChartEvents {
  /** The time under the pointer, in seconds; null beside the candles. */
  pointed(time: number | null): void;
  /** The left edge is near. */
  nearOldest(): void;
}

export class CandleChart {
  #chart: IChartApi;
  #series: ISeriesApi<'Candlestick'>;
  #element: HTMLElement;
  #light = window.matchMedia('(prefers-color-scheme: light)');

  private constructor(chart: IChartApi, series: ISeriesApi<'Candlestick'>, element: HTMLElement) {
    this.#chart = chart;
    this.#series = series;
    this.#element = element;
    this.#light.addEventListener('change', this.#paint);
    this.#paint();
  }

  static async create(element: HTMLElement, events: ChartEvents): Promise<CandleChart> {
    const { CandlestickSeries, CrosshairMode, createChart } = await import('lightweight-charts');
    // The logo would bring a style element, which a strict content policy forbids: a line says it.
    const chart = createChart(element, {
      autoSize: true,
      layout: { background: { color: 'transparent' }, fontSize: 11, attributionLogo: false },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, rightOffset: 3 },
      localization: { locale: 'en-GB' },
    });
    const series = chart.addSeries(CandlestickSeries, { borderVisible: false });
    chart.subscribeCrosshairMove((move) => {
      events.pointed(typeof move.time === 'number' ? move.time : null);
    });
    chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range !== null && range.from < NEAR_EDGE) events.nearOldest();
    });
    return new CandleChart(chart, series, element);
  }

  /** All of them; `keep`: the same candles stay under the eye. */
  set(places: readonly Place[], seconds: boolean, keep: boolean): void {
    const last = places.at(-1);
    const price = last !== undefined && 'close' in last ? last.close : 0;
    const precision = scaleDecimals(price);
    this.#series.applyOptions({
      priceFormat: { type: 'price', precision, minMove: 10 ** -precision },
    });
    this.#chart.applyOptions({ timeScale: { secondsVisible: seconds } });
    const range = keep ? this.#chart.timeScale().getVisibleRange() : null;
    this.#series.setData(places.map((place) => ({ ...place, time: place.time as UTCTimestamp })));
    if (range !== null) this.#chart.timeScale().setVisibleRange(range);
    else this.#chart.timeScale().scrollToRealTime();
  }

  /** The newest one, changed or new. */
  update(place: Place): void {
    this.#series.update({ ...place, time: place.time as UTCTimestamp });
  }

  /** Moves or zooms by the keyboard; false for a key that means nothing here. */
  key(name: string): boolean {
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (name === 'Home' || name === 'End') {
      scale.scrollToRealTime();
      return true;
    }
    if (range === null) return false;
    const width = range.to - range.from;
    if (name === 'ArrowLeft' || name === 'ArrowRight') {
      const step = name === 'ArrowLeft' ? -STEP : STEP;
      scale.setVisibleLogicalRange({ from: range.from + step, to: range.to + step });
    } else if (name === '+' || name === '-') {
      const next = name === '+' ? width * ZOOM : width / ZOOM;
      scale.setVisibleLogicalRange({ from: range.to - next, to: range.to });
    } else return false;
    return true;
  }

  remove(): void {
    this.#light.removeEventListener('change', this.#paint);
    this.#chart.remove();
  }

  #paint = (): void => {
    const { text, line, up, down } = colours(this.#element);
    this.#chart.applyOptions({
      layout: { textColor: text },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      timeScale: { borderColor: line },
      rightPriceScale: { borderColor: line },
    });
    this.#series.applyOptions({
      upColor: up,
      downColor: down,
      wickUpColor: up,
      wickDownColor: down,
    });
  };
}
