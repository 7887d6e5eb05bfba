/** Numbers, sizes and times as people read them, in the language of the browser. */

/** The clock of 24 hours, as on the axes of charts and in the History. */
const HOURS = { timeStyle: 'medium', hourCycle: 'h23' } as const

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 })
const rounded = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 })
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', ...HOURS })
const clock = new Intl.DateTimeFormat(undefined, HOURS)
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' })

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
]

/** A value with its unit; bytes are told in multiples. */
export function value(amount: number, unit = ''): string {
  if (/^(bytes?|B)$/i.test(unit)) return bytes(amount)
  if (unit === '%') return `${number.format(amount)} %`
  return unit ? `${number.format(amount)} ${unit}` : number.format(amount)
}

export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let step = 0
  while (Math.abs(size) >= 1000 && step < units.length - 1) {
    size /= 1000
    step += 1
  }
  return `${rounded.format(size)} ${units[step]}`
}

export const date = (t: number) => day.format(t)
export const dateTime = (t: number) => moment.format(t)
export const time = (t: number) => clock.format(t)

/** "3 minutes ago", "in 2 days". */
export function ago(t: number, now: number): string {
  const far = t - now
  for (const [unit, size] of STEPS) {
    if (Math.abs(far) >= size) return relative.format(Math.trunc(far / size), unit)
  }
  return relative.format(0, 'second')
}

/** A list in words: "a, b and c". */
export function list(items: readonly string[]): string {
  return new Intl.ListFormat(undefined, { type: 'conjunction' }).format(items)
}

export function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return url
  }
}
