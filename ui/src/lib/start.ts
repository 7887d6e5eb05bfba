/** What a new box begins with. */
import type { Offer, SourceRow } from './types'

/** The source that needs nothing but this computer; else whichever source there is. */
const FIRST = 'os-monitor'

export function startOffer(offers: readonly Offer[]): Offer | undefined {
  const sources = offers.filter(({ kind, installed }) => kind === 'driver' && !installed)
  return sources.find(({ name }) => name === FIRST) ?? sources[0]
}

/** Sources that have a line to show; those that move most come first. */
export function graphable(sources: readonly SourceRow[]): SourceRow[] {
  const rank = ({ type, id }: SourceRow) => (/load|cpu|processor/i.test(`${type} ${id}`) ? 0 : 1)
  return sources.filter(({ actuator }) => !actuator).sort((a, b) => rank(a) - rank(b))
}
