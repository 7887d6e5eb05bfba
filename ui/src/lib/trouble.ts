import { words } from '../words'
import type { BoxError } from './api'

export interface Told {
  title: string
  means: string
  todo: string
  /** What the box says it found, for who wants to know more. */
  found: string
}

/** An error in the owner's words. The box's own message is used where it says more. */
export function explain(error: BoxError): Told {
  const { errors } = words
  if (error.code === 'timeout') return { ...errors.timeout, found: '' }
  if (error.offline) return { ...errors.offline, found: '' }
  const known = byStatus(error.status)
  const found = [
    error.field && errors.field(error.field),
    error.found && errors.found(error.found),
  ].filter(Boolean)
  return {
    title: error.message ? sentence(error.message) : known.title,
    means: known.means,
    todo: error.remedy ? sentence(error.remedy) : known.todo,
    found: found.join(' · '),
  }
}

function byStatus(status: number): Omit<Told, 'found'> {
  const { errors } = words
  if (status === 401 || status === 403) return errors.denied
  if (status === 404) return errors.missing
  if (status >= 500) return errors.broken
  return { title: errors.title, ...errors.other }
}

/** The box writes messages in lower case without a full stop. */
export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(first) ? first : `${first}.`
}
