/** The consent screen's decisions: from the owner's answers to what is sent and written down. */
import { words } from '../words'
import { date, dateTime } from './format'
import { askName, sourceName } from './names'
import type { AskRow, Choices, ConsentScreen, SourceChoice, SourceRow } from './types'

const DAY_MS = 86_400_000

export const UNTIL_DAYS = [1, 30, 365]
export const DEFAULT_UNTIL_DAYS = 30

/** Leave it as it was agreed before. */
export const KEEP = 'keep'

/** Days; 0 from now on, null without end. */
export type Days = number | null | typeof KEEP

/** The answer to one ask. `picked`: index of the candidate, -1 for nothing. */
export interface Answer {
  clientid: string
  picked: number
  exact: string
  /** Parts of each value that stay hidden. */
  without: string[]
  /** Days of history. */
  farBack: Days
  act: boolean
  /** What holds now, for an app that is installed already. */
  now?: SourceChoice
}

export interface Answers {
  asks: Answer[]
  /** Addresses that are allowed. */
  exports: string[]
  /** Days from now on. */
  untilDays: Days
}

/**
 * What is chosen before the owner touches anything: a source only if it is the only one and the
 * app needs it, no more history than a careful app asks for, nothing to send, nothing to do.
 */
export function firstAnswers(screen: ConsentScreen): Answers {
  const asks = screen.asks.map((ask) =>
    ask.current ? answerNow(ask, ask.current) : firstAnswer(ask, screen.installed),
  )
  const sending = screen.exports.filter(({ current }) => current)
  return {
    asks,
    exports: sending.map(({ url }) => url),
    untilDays: asks.some(({ now }) => now) || sending.length ? KEEP : DEFAULT_UNTIL_DAYS,
  }
}

function firstAnswer(ask: AskRow, installed: boolean): Answer {
  const only = ask.candidates.length === 1 && ask.required && !installed
  return {
    clientid: ask.clientid,
    picked: only ? 0 : -1,
    exact: ask.exact[0] ?? 'raw',
    without: [],
    farBack: farBackSteps(ask)[0] ?? 0,
    act: false,
  }
}

function answerNow(ask: AskRow, now: SourceChoice): Answer {
  const picked = ask.candidates.findIndex((row) => row.store === now.store && row.id === now.source)
  const { fields } = now
  return {
    clientid: ask.clientid,
    picked,
    exact: now.exact ?? 'raw',
    without: fields ? (ask.candidates[picked]?.fields ?? []).filter((name) => !fields.includes(name)) : [],
    farBack: KEEP,
    act: now.act ?? false,
    now,
  }
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

/** Whether it is a distance: of a place to one nothing else is told, so there are no parts to pick. */
export function isDistance(exact: string): boolean {
  return / k?m$/.test(exact)
}

/** The parts that are shown of a source's values; null for all, also those that nobody has named. */
export function shownFields(source: SourceRow, answer: Answer): string[] | null {
  if (isDistance(answer.exact)) return null
  const shown = source.fields.filter((name) => !answer.without.includes(name))
  return shown.length === source.fields.length ? null : shown
}

/** Needed asks that are still without a source. */
export function lacking(screen: ConsentScreen, answers: Answers): AskRow[] {
  return screen.asks.filter((ask, index) => ask.required && (answers.asks[index]?.picked ?? -1) < 0)
}

export function choices(screen: ConsentScreen, answers: Answers, now: number): Choices {
  return {
    sources: screen.asks.flatMap((ask, index) => {
      const answer = answers.asks[index]
      if (!answer) return []
      const source = pickedSource(ask, answer)
      if (!source) return [{ clientid: ask.clientid }]
      return [
        {
          clientid: ask.clientid,
          store: source.store,
          source: source.id,
          exact: answer.exact,
          fields: shownFields(source, answer),
          since: sinceOf(answer, now),
          until: untilOf(answers, now, answer.now?.until),
          act: answer.act,
        },
      ]
    }),
    exports: screen.exports.map(({ url, current }) => {
      const allowed = answers.exports.includes(url)
      return { url, allowed, until: allowed ? untilOf(answers, now, current?.until) : null }
    }),
  }
}

/** Nothing older than this is shown, Unix ms; null for everything. */
function sinceOf(answer: Answer, now: number): number | null {
  if (answer.farBack === KEEP) return answer.now?.since ?? null
  return answer.farBack === null ? null : now - answer.farBack * DAY_MS
}

/** When it ends. `before`: as agreed until now; what is new gets the usual time. */
function untilOf(answers: Answers, now: number, before?: number | null): number | null {
  const days = answers.untilDays
  if (days === KEEP) return before === undefined ? now + DEFAULT_UNTIL_DAYS * DAY_MS : before
  return days === null ? null : now + days * DAY_MS
}

/** Hosts that these answers let it send to, each once. */
export function sendsTo(screen: ConsentScreen, answers: Answers): string[] {
  const hosts = screen.exports.filter(({ url }) => answers.exports.includes(url))
  return [...new Set(hosts.map(({ host }) => host))]
}

/** What the owner agrees to, in sentences; shown on the screen and kept in the History. */
export function agreement(screen: ConsentScreen, answers: Answers, agreed: Choices): string {
  const told = words.consent.text
  const lines = [told.install(screen.title, screen.version)]
  screen.asks.forEach((ask, index) => {
    const answer = answers.asks[index]
    const choice = agreed.sources?.[index]
    const source = answer && pickedSource(ask, answer)
    if (!choice || !source) {
      lines.push(told.refused(askName(ask)))
      return
    }
    const exact = exactText(choice.exact ?? 'raw', choice.fields)
    lines.push(
      told.source(ask.why, sourceName(source), exact, sinceText(choice.since), untilText(choice.until)),
    )
    if (choice.act) lines.push(told.act(sourceName(source)))
  })
  for (const { url, allowed, until } of agreed.exports ?? []) {
    lines.push(allowed ? told.send(url, untilText(until)) : told.noSend(url))
  }
  if (screen.outside.length) lines.push(told.outside(screen.outside.join(', ')))
  return lines.join('\n')
}

/** How exact, with the parts that are shown where these are not all. */
export function exactText(exact: string, fields: readonly string[] | null | undefined): string {
  const name = words.exactness[exact]?.name ?? exact
  return fields ? words.consent.only(name, fields.join(', ')) : name
}

function sinceText(since: number | null | undefined): string {
  return typeof since === 'number' ? words.who.since(dateTime(since)) : words.consent.all
}

function untilText(until: number | null | undefined): string {
  return typeof until === 'number' ? words.who.untilOn(date(until)) : words.who.untilStopped
}

export function farBackName(days: Days): string {
  if (days === KEEP) return words.consent.keepSince
  if (days === null) return words.consent.all
  return days === 0 ? words.consent.fromNow : words.consent.days(days)
}
