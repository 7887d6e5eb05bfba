/** The last signed state of the History that this browser saw; a box put back in time shows. */
import type { Checkpoint } from './types'

const ENTRY = 'databox.history'

export interface Memory {
  checkpoint: Checkpoint
  /** Time of the first state from which each later one was shown to follow; Unix ms. */
  since: number
}

export function remembered(): Memory | null {
  const text = localStorage.getItem(ENTRY)
  return text ? (JSON.parse(text) as Memory) : null
}

/** A state that was shown to follow from what is remembered, or the first one. */
export function remember(checkpoint: Checkpoint): void {
  keep({ checkpoint, since: remembered()?.since ?? checkpoint.time })
}

/** The owner says that what is there now is right; whatever was remembered is forgotten. */
export function startAnew(checkpoint: Checkpoint): void {
  keep({ checkpoint, since: checkpoint.time })
}

function keep(memory: Memory): void {
  localStorage.setItem(ENTRY, JSON.stringify(memory))
}
