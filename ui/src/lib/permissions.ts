/** Grants as the owner reads them: who sees what, how exactly, until when, and where it goes. */
import { words } from '../words'
import { exactText } from './consent'
import { date, hostOf } from './format'
import { driverOf, inSentence, readable, sourceName, type Titles } from './names'
import type { Grant, SourceRow } from './types'

export type Sort = 'app' | 'source' | 'destination'

export interface Permission {
  grant: Grant
  app: string
  /** What is seen or changed; for sending, the app's own words are in `places`. */
  source: string
  /** Hosts outside that may be sent something; empty: it stays in the box. */
  places: string[]
  sentence: string
  exact: string
  until: string
  used: boolean
}

/** A day: who was allowed something only just now is not asked whether it is needed. */
const PATIENCE_MS = 86_400_000

/** Only what the owner gave; a driver's hold on its own store is no choice of theirs. */
export function permissions(
  grants: readonly Grant[],
  sources: readonly SourceRow[],
  names: Titles,
): Permission[] {
  return grants
    .filter(({ kind, ended }) => ended === null && ['source', 'act', 'export'].includes(kind))
    .map((grant) => permission(grant, sources, names))
}

/** Hosts outside that something may be sent to now, each once. */
export function places(grants: readonly Grant[]): string[] {
  const sending = grants.filter(({ kind, ended }) => kind === 'export' && ended === null)
  return [...new Set(sending.flatMap(({ destinations }) => destinations.map(hostOf)))]
}

function permission(grant: Grant, sources: readonly SourceRow[], names: Titles): Permission {
  const app = names.get(grant.client) ?? readable(grant.client)
  const row = sources.find(({ store, id }) => store === grant.target && id === grant.source)
  const from = driverOf(grant.target)
  const source = row ? sourceName(row) : readable(grant.source || (names.get(from) ?? from))
  const places = [...new Set(grant.destinations.map(hostOf))]
  return {
    grant,
    app,
    source,
    places,
    sentence: sentence(grant.kind, app, source, places),
    exact: grant.kind === 'source' ? exactText(grant.exact, grant.fields) : '',
    until: grant.until === null ? words.who.untilStopped : words.who.untilOn(date(grant.until)),
    used: grant.last_used !== null,
  }
}

function sentence(kind: string, app: string, source: string, places: string[]): string {
  if (kind === 'export') return words.who.sends(app, places.join(', '))
  const seen = inSentence(source)
  return kind === 'act' ? words.who.acts(app, seen) : words.who.sees(app, seen)
}

export interface Group {
  title: string
  list: Permission[]
}

/** Permissions in groups, each permission wherever it belongs. */
export function grouped(all: readonly Permission[], sort: Sort, leaving: ReadonlySet<string>): Group[] {
  const groups = new Map<string, Permission[]>()
  for (const one of all) {
    for (const title of titlesOf(one, sort, leaving)) {
      groups.set(title, [...(groups.get(title) ?? []), one])
    }
  }
  return [...groups].map(([title, list]) => ({ title, list }))
}

function titlesOf(one: Permission, sort: Sort, leaving: ReadonlySet<string>): string[] {
  if (sort === 'app') return [one.app]
  if (sort === 'source') return [one.grant.kind === 'export' ? words.who.leavesTitle : one.source]
  if (one.places.length) return one.places
  return [leaving.has(one.grant.client) ? words.who.throughApp(one.app) : words.who.onScreen]
}

/** Allowed long enough ago, and never looked at. */
export function unused(one: Permission, now: number): boolean {
  return !one.used && one.grant.made < now - PATIENCE_MS
}
