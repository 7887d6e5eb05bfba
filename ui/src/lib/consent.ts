/** The consent screen's decisions: from the owner's answers to what is sent and written down. */
import { words } from '../words'
import { date } from './format'
import { sourceName } from './names'
import type { AskRow, Choices, ConsentScreen, SourceRow } from './types'

const DAY_MS = 86_400_000

export const UNTIL_DAYS = [1, 30, 365]
export const DEFAULT_UNTIL_DAYS = 30

/** The answer to one ask. `picked`: index of the candidate, -1 for nothing. */
export interface Answer {
  clientid: string
  picked: number
  exact: string
  /** Days of history; 0 from now on, null everything. */
  farBack: number | null
  act: boolean
}

export interface Answers {
  asks: Answer[]
  /** Addresses that are allowed. */
  exports: string[]
  /** Days from now, null until stopped. */
  untilDays: number | null
}

/**
 * What is chosen before the owner touches anything: a source only if it is the only one and the
 * app needs it, no more history than a careful app asks for, nothing to send, nothing to do.
 */
export function firstAnswers(screen: ConsentScreen): Answers {
  const current = readCurrent(screen)
  return {
    asks: screen.asks.map((ask) => current.get(ask.clientid) ?? firstAnswer(ask, screen.installed)),
    exports: [],
    untilDays: DEFAULT_UNTIL_DAYS,
  }
}

function firstAnswer(ask: AskRow, installed: boolean): Answer {
  const only = ask.candidates.length === 1 && ask.required && !installed
  return {
    clientid: ask.clientid,
    picked: only ? 0 : -1,
    exact: ask.exact[0] ?? 'raw',
    farBack: farBackSteps(ask)[0] ?? 0,
    act: false,
  }
}

/** What is agreed now, for an app that is installed already. */
function readCurrent(screen: ConsentScreen): Map<string, Answer> {
  const found = new Map<string, Answer>()
  for (const ask of screen.asks) {
    const now = ask.current as { store?: string; source?: string; exact?: string; act?: boolean } | null
    if (!now?.store) continue
    const picked = ask.candidates.findIndex(
      (row) => row.store === now.store && row.id === now.source,
    )
    found.set(ask.clientid, {
      clientid: ask.clientid,
      picked,
      exact: now.exact ?? ask.exact[0] ?? 'raw',
      farBack: farBackSteps(ask)[0] ?? 0,
      act: now.act ?? false,
    })
  }
  return found
}

/**
 * How far back may be chosen, the first being the one suggested: what the app asks for if that is
 * a month or less, else only from now on; asking for little is rewarded.
 */
export function farBackSteps(ask: AskRow): (number | null)[] {
  const most = ask.far_back
  if (most === 0) return [0]
  if (most !== null && most <= 30) return [most, 0]
  return most === null ? [0, 30, null] : [0, 30, most]
}

export function pickedSource(ask: AskRow, answer: Answer): SourceRow | undefined {
  return ask.candidates[answer.picked]
}

/** Needed asks that are still without a source. */
export function lacking(screen: ConsentScreen, answers: Answers): AskRow[] {
  return screen.asks.filter((ask, index) => ask.required && (answers.asks[index]?.picked ?? -1) < 0)
}

export function choices(screen: ConsentScreen, answers: Answers, now: number): Choices {
  const until = answers.untilDays === null ? null : now + answers.untilDays * DAY_MS
  return {
    sources: screen.asks.flatMap((ask, index) => {
      const answer = answers.asks[index]
      if (!answer) return []
      const source = pickedSource(ask, answer)
      if (!source) return [{ clientid: ask.clientid }]
      const since = answer.farBack === null ? null : now - answer.farBack * DAY_MS
      return [
        {
          clientid: ask.clientid,
          store: source.store,
          source: source.id,
          exact: answer.exact,
          since,
          until,
          act: answer.act,
        },
      ]
    }),
    exports: screen.exports.map(({ url }) => {
      const allowed = answers.exports.includes(url)
      return { url, allowed, until: allowed ? until : null }
    }),
  }
}

/** Hosts that these answers let it send to, each once. */
export function sendsTo(screen: ConsentScreen, answers: Answers): string[] {
  const hosts = screen.exports.filter(({ url }) => answers.exports.includes(url))
  return [...new Set(hosts.map(({ host }) => host))]
}

/** What the owner agrees to, in sentences; shown on the screen and kept in the History. */
export function agreement(screen: ConsentScreen, answers: Answers, now: number): string {
  const told = words.consent.text
  const until =
    answers.untilDays === null
      ? words.who.untilStopped
      : words.who.untilOn(date(now + answers.untilDays * DAY_MS))
  const lines = [told.install(screen.title, screen.version)]
  screen.asks.forEach((ask, index) => {
    const answer = answers.asks[index]
    const source = answer && pickedSource(ask, answer)
    if (!answer || !source) {
      lines.push(told.refused(ask.type))
      return
    }
    const exact = words.exactness[answer.exact]?.name ?? answer.exact
    lines.push(told.source(ask.why, sourceName(source), exact, farBackName(answer.farBack), until))
    if (answer.act) lines.push(told.act(sourceName(source)))
  })
  for (const { url } of screen.exports) {
    lines.push(answers.exports.includes(url) ? told.send(url, until) : told.noSend(url))
  }
  if (screen.outside.length) lines.push(told.outside(screen.outside.join(', ')))
  return lines.join('\n')
}

export function farBackName(days: number | null): string {
  if (days === null) return words.consent.all
  return days === 0 ? words.consent.fromNow : words.consent.days(days)
}
