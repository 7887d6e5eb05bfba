/** uPlot in the colours of the tokens. It draws on a canvas; the words beside it say the same. */
import uPlot from 'uplot'

import { lonely, percentAxis, type Columns } from '../lib/series'

export interface Drawn {
  label: string
  unit: string
}

const SERIES = ['--series-1', '--series-2', '--series-3', '--series-4']

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** Between ticks: never less than a second, for which no two labels would differ. */
const STEPS_S = [
  ...[1, 5, 10, 15, 30],
  ...[1, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 4, 7, 14, 28, 90, 365].map((days) => days * DAY),
]

/** Colours as the present theme resolves them: a canvas cannot follow `light-dark()` by itself. */
export function colour(element: Element, token: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${token})`
  element.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

export function makeChart(
  element: HTMLElement,
  drawn: readonly Drawn[],
  data: uPlot.AlignedData,
  tell: (amount: number, unit: string) => string,
): uPlot {
  const soft = colour(element, '--ink-soft')
  const line = colour(element, '--line')
  const axis: uPlot.Axis = {
    stroke: soft,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  }
  const options: uPlot.Options = {
    width: Math.max(element.clientWidth, 200),
    height: Math.max(element.clientHeight, 120),
    // Half a label to the right of the last tick.
    padding: [null, 28, null, null],
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 8 } },
    scales: {
      x: { time: true },
      ...(unitOf(drawn) === '%' && { y: { range: (_plot, low, high) => percentAxis(low, high) } }),
    },
    axes: [
      { ...axis, space: 72, size: 30, incrs: STEPS_S, values: (_plot, ticks, _axis, _space, step) => ticks.map(clock(step)) },
      { ...axis, size: 64, values: (_plot, ticks) => ticks.map((tick) => tell(tick, unitOf(drawn))) },
    ],
    series: [
      {},
      ...drawn.map((one, index) => ({
        label: one.label,
        stroke: colour(element, SERIES[index % SERIES.length] ?? '--series-1'),
        width: 2,
        spanGaps: false,
        points: {
          show: false,
          size: 5,
          filter: (plot: uPlot, place: number) => lonely(plot.data[place] as Columns[1]),
        },
        ...(drawn.length === 1 ? { fill: faint(colour(element, '--series-1')) } : {}),
      })),
    ],
  }
  return new uPlot(options, data, element)
}

/** Times on the axis: seconds only where the ticks need them, dates where they are days apart. */
function clock(step: number): (tick: number) => string {
  const style: Intl.DateTimeFormatOptions =
    step >= DAY
      ? { day: 'numeric', month: 'short' }
      : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...(step < MINUTE && { second: '2-digit' }) }
  const format = new Intl.DateTimeFormat(undefined, style)
  return (tick) => format.format(tick * 1000)
}

/** One unit stands on the axis only if all lines share it. */
function unitOf(drawn: readonly Drawn[]): string {
  const first = drawn[0]?.unit ?? ''
  return drawn.every((one) => one.unit === first) ? first : ''
}

function faint(rgb: string): string {
  return rgb.replace(/^rgb\((.*)\)$/, 'rgb($1, 0.10)')
}
