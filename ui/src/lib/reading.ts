/** Readings as stores give them: `{datasource_id, data, timestamp}`, `timestamp` in Unix ms. */

export interface Reading {
  t: number
  data: unknown
}

/** Readings in time order; whatever is not a reading is left out. */
export function readings(answer: unknown): Reading[] {
  if (!Array.isArray(answer)) return []
  return answer.flatMap((record: unknown) => {
    if (typeof record !== 'object' || record === null) return []
    const { timestamp, data } = record as Record<string, unknown>
    return typeof timestamp === 'number' ? [{ t: timestamp, data }] : []
  })
}

/** The number in a reading: itself, or the one that an object holds; null when there is none. */
export function amount(data: unknown): number | null {
  if (typeof data === 'number') return Number.isFinite(data) ? data : null
  if (typeof data === 'string') return data.trim() && Number.isFinite(+data) ? +data : null
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return null
  const parts = data as Record<string, unknown>
  for (const key of ['value', 'mean', 'data']) {
    if (typeof parts[key] === 'number') return parts[key]
  }
  const numbers = Object.values(parts).filter((part) => typeof part === 'number')
  return numbers.length === 1 ? (numbers[0] as number) : null
}

export interface Window {
  mean: number
  low: number
  high: number
}

const WIDTH: Record<string, number> = { PT1M: 60_000, PT15M: 900_000, PT1H: 3_600_000 }

/** The last window that is over, aligned to the clock, as the box itself would tell it. */
export function lastWindow(all: readonly Reading[], exact: string, now: number): Window | null {
  const width = WIDTH[exact]
  if (!width) return null
  const end = Math.floor(now / width) * width
  const inside = all
    .filter(({ t }) => t >= end - width && t < end)
    .map(({ data }) => amount(data))
    .filter((number) => number !== null)
  if (inside.length < 2) return null
  return {
    mean: inside.reduce((sum, number) => sum + number, 0) / inside.length,
    low: Math.min(...inside),
    high: Math.max(...inside),
  }
}
