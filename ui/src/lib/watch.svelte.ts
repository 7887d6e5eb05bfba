/** At each opening: is the History still the one that this browser remembers? */
import { BoxError } from './api'
import { box } from './box'
import { fault, judge, type Verdict } from './check'
import { remember, remembered, startAnew, type Memory } from './memory'
import type { Checkpoint } from './types'

class Watch {
  /** Set when something is wrong, until the owner has said that it is right. */
  alarm = $state.raw<Verdict>()
  /** What was found to be whole. */
  memory = $state.raw<Memory | null>(null)

  async look(): Promise<void> {
    try {
      this.tell(await compare(remembered()?.checkpoint ?? null))
    } catch (error) {
      // A box that cannot answer now says nothing about its History; the next opening asks again.
      if (!(error instanceof BoxError)) throw error
    }
  }

  /** What a check came to. */
  tell(verdict: Verdict): void {
    this.alarm = verdict.ok ? undefined : verdict
    if (verdict.ok && verdict.checkpoint) {
      remember(verdict.checkpoint)
      this.memory = remembered()
    }
  }

  /** The owner knows why: go on from what is there now. */
  async accept(): Promise<void> {
    startAnew(await box.checkpoint())
    this.alarm = undefined
    await this.look()
  }
}

async function compare(known: Checkpoint | null): Promise<Verdict> {
  const checkpoint = await box.checkpoint()
  if (!known || known.size >= checkpoint.size) return judge(checkpoint, known)
  try {
    const { path } = await box.consistency(known.size, checkpoint.size)
    return await judge(checkpoint, known, path)
  } catch (error) {
    // It has both, and says no: a box that is whole can always prove this.
    if (error instanceof BoxError && [400, 404, 500].includes(error.status)) {
      return fault('unproven', undefined, known)
    }
    throw error
  }
}

export const watch = new Watch()
