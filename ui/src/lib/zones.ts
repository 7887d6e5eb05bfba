/**
 * Days as this browser's clock has them. The box counts days in one fixed zone for each question,
 * but here the clocks may be changed twice a year: so the History is asked for in stretches, each
 * with the zone of its own days. A day on which the clocks change is told by the zone it began in.
 */

const DAY = 86_400_000
const MINUTE = 60_000
/** How far back the last change of the clocks may lie; where none is found, they are not changed. */
const MOST_DAYS = 370

/** Days up to `until` that have the same zone; `since`: where they begin, if others come before. */
export interface Stretch {
  /** Minutes east of UTC. */
  zone: number
  since?: number
  /** Where the stretch before it ends. */
  before?: number
}

export type ZoneAt = (t: number) => number

export const zoneAt: ZoneAt = (t) => -new Date(t).getTimezoneOffset()

/** The stretch that ends at `until`, Unix ms. */
export function stretch(until: number, at: ZoneAt = zoneAt): Stretch {
  let zone = at(until - 1)
  for (let back = 1; back <= MOST_DAYS; back += 1) {
    const old = at(until - 1 - back * DAY)
    if (old === zone) continue
    const changed = moment(until - 1 - back * DAY, until - 1 - (back - 1) * DAY, at)
    const next = Math.floor((changed + old * MINUTE) / DAY) + 1
    const [since, before] = [next * DAY - zone * MINUTE, next * DAY - old * MINUTE]
    if (Math.max(since, before) < until) return { zone, since, before }
    zone = old
  }
  return { zone }
}

/** When the zone changed between two moments, to the minute. */
function moment(low: number, high: number, at: ZoneAt): number {
  const old = at(low)
  while (high - low > MINUTE) {
    const middle = low + Math.floor((high - low) / 2)
    if (at(middle) === old) low = middle
    else high = middle
  }
  return high
}
