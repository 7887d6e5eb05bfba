/** At each sign-in: is the History still the one that this browser remembers? */
import { BoxError } from './api'
import { box } from './box'
import { judge, verify, type Verdict } from './chain'
import { remember, remembered } from './memory'

/** Up to this many lines the whole chain is computed at each sign-in; above, on request. */
const WHOLE_UP_TO = 20_000

class Watch {
  /** Set when something is wrong, until the owner has read it. */
  alarm = $state<Verdict>()

  async look(): Promise<void> {
    try {
      const known = remembered()
      const checkpoint = await box.checkpoint()
      const whole = known !== null && checkpoint.size <= WHOLE_UP_TO
      const verdict = whole ? await verify(box.bundle(), known) : await judge(checkpoint, known)
      if (verdict.ok && verdict.checkpoint) remember(verdict.checkpoint)
      else this.alarm = verdict
    } catch (error) {
      // A box that cannot answer now says nothing about its History; the next sign-in asks again.
      if (!(error instanceof BoxError)) throw error
    }
  }
}

export const watch = new Watch()
