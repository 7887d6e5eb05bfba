/** Who is at the browser, and what the box needs from them before anything else. */
import { BoxError } from './api'
import { api, box } from './box'
import { takeCode } from './code'
import { makeKey, publicJwk } from './proof'
import type { SetupRequest, Status } from './types'
import * as vault from './vault'

export type Phase =
  | 'loading'
  | 'offline'
  | 'starting'
  | 'failing'
  | 'new'
  | 'recovery-code'
  | 'ready'
  | 'signed-out'
  | 'in'

const POLL_MS = 1000

class SessionState {
  /** The one-time code that the address brought; taken before anything is drawn. */
  readonly setUpCode = takeCode()
  phase = $state<Phase>('loading')
  status = $state<Status>({ state: 'starting', owner: '', version: '', detail: '' })
  user = $state('')
  recoveryCode = $state('')
  /** Whether anybody has shown that the recovery code was written down. */
  proven = $state(true)
  /** The code on the screen takes the place of one from before. */
  renewed = $state(false)

  constructor() {
    api.onSignedOut = () => void this.leave()
  }

  /** Ask the box how it is until it can be used. */
  async look(): Promise<void> {
    try {
      this.status = await box.status()
    } catch {
      this.phase = 'offline'
      setTimeout(() => void this.look(), POLL_MS)
      return
    }
    await this.#enter()
  }

  async setUp(answers: Omit<SetupRequest, 'key'>): Promise<void> {
    const key = await makeKey()
    const reply = await box.setUp({ ...answers, key: await publicJwk(key) })
    await this.#keep(reply.session, key)
    this.user = answers.name
    this.#show(reply.recovery_code)
  }

  async renewRecovery(passphrase: string): Promise<void> {
    const reply = await box.newRecovery(passphrase)
    this.renewed = true
    this.#show(reply.recovery_code)
  }

  async proveRecovery(part: string): Promise<void> {
    await box.proveRecovery(part)
    this.recoveryCode = ''
    this.proven = true
    this.phase = this.renewed ? 'in' : 'ready'
  }

  async signIn(passphrase: string): Promise<void> {
    const key = await makeKey()
    const reply = await box.signIn({ passphrase, key: await publicJwk(key) })
    await this.#keep(reply.session, key)
    this.user = reply.user
    await this.look()
  }

  async recover(recovery_code: string, passphrase: string): Promise<void> {
    const key = await makeKey()
    const reply = await box.recover({ recovery_code, passphrase, key: await publicJwk(key) })
    await this.#keep(reply.session, key)
    this.user = reply.user
    await this.look()
  }

  async signOut(): Promise<void> {
    try {
      await box.signOut()
    } finally {
      await this.leave()
    }
  }

  /** Forget the key of this browser. */
  async leave(): Promise<void> {
    api.kept = null
    await vault.forget()
    await this.look()
  }

  /** When calls fail: is the box still open to us? It locks when it is started again. */
  async check(): Promise<void> {
    try {
      this.status = await box.status()
    } catch {
      return // Not reachable at all: the page stays as it is, and says so.
    }
    if (this.status.state === 'locked' || this.status.state === 'new') await this.leave()
  }

  enter(): void {
    this.phase = 'in'
  }

  async #enter(): Promise<void> {
    const { state } = this.status
    if (state === 'starting') {
      this.phase = 'starting'
      setTimeout(() => void this.look(), POLL_MS)
    } else if (state === 'new') {
      this.phase = 'new'
    } else if (state === 'failing') {
      this.phase = 'failing'
      setTimeout(() => void this.look(), POLL_MS * 3)
    } else if (state === 'locked') {
      this.phase = 'signed-out'
    } else {
      await this.#resume()
    }
  }

  async #resume(): Promise<void> {
    api.kept ??= await vault.load()
    if (!api.kept) {
      this.phase = 'signed-out'
      return
    }
    try {
      const me = await box.whoAmI()
      this.user = me.user
      this.proven = me.proven
      this.phase = 'in'
    } catch (error) {
      // A 401 has already sent us to the sign-in page by `onSignedOut`.
      if (error instanceof BoxError && error.status !== 401) this.phase = 'in'
    }
  }

  #show(recoveryCode: string): void {
    this.recoveryCode = recoveryCode
    this.proven = false
    this.phase = 'recovery-code'
  }

  async #keep(session: string, key: CryptoKeyPair): Promise<void> {
    api.kept = { session, key }
    await vault.keep(api.kept)
  }
}

export const session = new SessionState()
