/** The last signed state of the History that this browser saw; a box put back in time shows. */
import type { Checkpoint } from './types'

const ENTRY = 'databox.checkpoint'

export function remembered(): Checkpoint | null {
  const text = localStorage.getItem(ENTRY)
  return text ? (JSON.parse(text) as Checkpoint) : null
}

export function remember(checkpoint: Checkpoint): void {
  localStorage.setItem(ENTRY, JSON.stringify(checkpoint))
}
