/** Lines of a view as the chart wants them: one list of times, and a value or gap for each line. */
import { words } from '../words'
import { value } from './format'
import type { Line } from './types'

export type Columns = [number[], ...(number | null)[][]]

/** Times in seconds; a line without a value at a time has a gap there. */
export function align(lines: readonly Line[]): Columns {
  const all = new Set<number>()
  for (const line of lines) for (const t of line.t) all.add(t)
  const times = [...all].sort((a, b) => a - b)
  const columns = lines.map((line) => {
    const known = new Map(line.t.map((t, index) => [t, line.v[index] ?? null]))
    return times.map((t) => known.get(t) ?? null)
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
