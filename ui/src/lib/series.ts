/** Lines of a view as the chart wants them: one list of times, and a value or gap for each line. */
import { words } from '../words'
import { value } from './format'
import type { Line } from './types'

/** Null breaks the line; undefined is a time that only another line has, and breaks nothing. */
export type Columns = [number[], ...(number | null | undefined)[][]]

/** Where a line has nothing for so many of its usual steps, there was nothing. */
const BREAK_STEPS = 5

/** The line, broken where values are lacking for longer than usual: the box was off. */
export function broken(line: Line): Line {
  const steps = line.t.slice(1).map((t, index) => t - (line.t[index] ?? t))
  const usual = steps.toSorted((a, b) => a - b)[Math.floor((steps.length - 1) / 2)]
  if (!usual) return line
  const made: Line = { label: line.label, t: [], v: [] }
  line.t.forEach((t, index) => {
    made.t.push(t)
    made.v.push(line.v[index] ?? null)
    if ((steps[index] ?? 0) <= usual * BREAK_STEPS) return
    made.t.push(t + usual)
    made.v.push(null)
  })
  return made
}

/** Where a value stands between two breaks, so that no line leads to it: the places of these. */
export function lonely(column: Columns[1]): number[] {
  const places = column.flatMap((value, place) => (value === undefined ? [] : [place]))
  return places.filter(
    (place, index) =>
      typeof column[place] === 'number' &&
      [places[index - 1], places[index + 1]].every(
        (beside) => beside === undefined || column[beside] === null,
      ),
  )
}

/** From where to where an axis of percent goes: from nothing, so that little looks like little. */
export function percentAxis(low: number, high: number): [number, number] {
  const most = Math.max(high * 1.1, 1)
  return [Math.min(0, low), high <= 100 ? Math.min(most, 100) : most]
}

/** Times in seconds, of all lines together. */
export function align(lines: readonly Line[]): Columns {
  const all = new Set<number>()
  for (const line of lines) for (const t of line.t) all.add(t)
  const times = [...all].sort((a, b) => a - b)
  const columns = lines.map((line) => {
    const known = new Map(line.t.map((t, index) => [t, line.v[index] ?? null]))
    return times.map((t) => known.get(t))
  })
  return [times.map((t) => t / 1000), ...columns]
}

/** The line in a sentence, for who cannot see it. */
export function summary(line: Line, unit: string): string {
  const known = line.v.filter((number) => number !== null)
  const label = line.label || words.screen.unnamed
  const last = known.at(-1)
  if (last === undefined) return words.screen.noValues(label)
  const low = known.reduce((a, b) => Math.min(a, b))
  const high = known.reduce((a, b) => Math.max(a, b))
  return words.screen.line(label, value(last, unit), value(low, unit), value(high, unit))
}
